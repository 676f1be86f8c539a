"""How good features are, measured without any label."""

from typing import Any

import numpy as np

from byol_kedro.evaluation.fit import Features

PAIRED_ROWS = 2_000  # 2,000 by 2,000 distances are 30 MiB
TEMPERATURE = 2.0  # t in 2005.10242, §4.1
EPSILON = 1e-7  # 2210.02885's, for singular values that are 0


def quality_row(features: str, x: Features, seed: int) -> dict[str, Any]:
    """Both measures of x (N, D), N at least 2, as plain numbers."""
    return {
        "features": features,
        "n": len(x),
        "dim": x.shape[1],
        "effective_rank": effective_rank(x),
        "uniformity": uniformity(x, seed),
    }


def effective_rank(x: Features) -> float:
    """exp of the entropy of x's (N, D) singular values, taken as shares: from 1 (collapsed) to min(N, D).

    The definition of RankMe: Garrido, Balestriero, Najman, LeCun, arXiv 2210.02885, §3.
    """
    values = np.linalg.svd(x.astype(np.float64), compute_uv=False)
    shares = values / values.sum() + EPSILON if values.any() else np.ones(1)
    return float(np.exp(-np.sum(shares * np.log(shares))))


def uniformity(x: Features, seed: int, rows: int = PAIRED_ROWS) -> float:
    """log of the mean of exp(-t ‖u - v‖²) over pairs of rows of x (N, D), brought to length 1; t is 2.

    0 when all lie at one point, near -4 when they spread over all directions of a space of many dimensions. At
    most `rows` rows, drawn with `seed`, are paired. Wang and Isola, arXiv 2005.10242, §4.1.2.
    """
    drawn = np.sort(np.random.default_rng(seed).permutation(len(x))[:rows])
    sampled = x[drawn].astype(np.float64)
    sampled /= np.maximum(np.linalg.norm(sampled, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    above = np.triu_indices(len(sampled), 1)
    squared = (2 - 2 * sampled @ sampled.T)[above]  # ‖u - v‖² of unit vectors
    return float(np.log(np.mean(np.exp(-TEMPERATURE * squared))))
