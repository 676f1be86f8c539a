"""How good features are, measured without any label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features

PAIRED_ROWS = 2_000  # 2,000 by 2,000 distances are 30 MiB
TEMPERATURE, POWER = 2.0, 2.0  # t and α of 2005.10242, figure 6
EPSILON = 1e-7  # 2210.02885's, for singular values that are 0


def quality_row(
    features: str, x: Features, seed: int, views: tuple[Features, Features] | None = None
) -> dict[str, Any]:
    """All measures of x (N, D), N at least 2, as plain numbers; alignment is None without two `views` (M, D) each."""
    return {
        "features": features,
        "n": len(x),
        "dim": x.shape[1],
        "effective_rank": effective_rank(x),
        "uniformity": uniformity(x, seed),
        "alignment": alignment(*views) if views else None,
    }


def effective_rank(x: Features) -> float:
    """exp of the entropy of x's (N, D) singular values, taken as shares: from 1 (collapsed) to min(N, D).

    The definition of RankMe: Garrido, Balestriero, Najman, LeCun, arXiv 2210.02885.
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
    sampled = _unit(x[drawn])
    above = np.triu_indices(len(sampled), 1)
    squared = (2 - 2 * sampled @ sampled.T)[above]  # ‖u - v‖² of unit vectors
    return float(np.log(np.mean(np.exp(-TEMPERATURE * squared))))


def alignment(first: Features, second: Features) -> float:
    """Mean of ‖u - v‖^α over the rows of two views of the same images (M, D), brought to length 1; α is 2.

    0 when both views of every image fall on one point, 2 when they are at right angles. Collapsed features have
    0 too, so it is read beside the uniformity. Wang and Isola, arXiv 2005.10242, §4.1.1.
    """
    return float(np.mean(np.linalg.norm(_unit(first) - _unit(second), axis=1) ** POWER))


def _unit(x: Features) -> NDArray[np.float64]:
    """x (N, D), each row brought to length 1; a row of zeros stays."""
    rows = x.astype(np.float64)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(rows / lengths)
