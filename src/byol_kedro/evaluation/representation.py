"""Label-free quality measures of features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features

PAIRED_ROWS = 2_000  # 2,000 by 2,000 distances are 30 MiB
TEMPERATURE, POWER = 2.0, 2.0  # t and α of 2005.10242, figure 6
EPSILON = 1e-7  # as in 2210.02885, for singular values of 0


def quality_row(
    features: str, x: Features, seed: int, views: tuple[Features, Features] | None = None
) -> dict[str, Any]:
    """All measures of x (N, D), N ≥ 2, as plain numbers; alignment is None without the two `views` (M, D)."""
    return {
        "features": features,
        "n": len(x),
        "dim": x.shape[1],
        "effective_rank": effective_rank(x),
        "uniformity": uniformity(x, seed),
        "alignment": alignment(*views) if views else None,
    }


def effective_rank(x: Features) -> float:
    """Exponential of the entropy of the normalized singular values of x (N, D): from 1 (collapsed) to min(N, D).

    This is RankMe: Garrido, Balestriero, Najman, LeCun, arXiv 2210.02885.
    """
    values = np.linalg.svd(x.astype(np.float64), compute_uv=False)
    shares = values / values.sum() + EPSILON if values.any() else np.ones(1)
    return float(np.exp(-np.sum(shares * np.log(shares))))


def uniformity(x: Features, seed: int, rows: int = PAIRED_ROWS) -> float:
    """Logarithm of the mean of exp(-t ‖u - v‖²) over pairs of rows of x (N, D), scaled to length 1, with t = 2.

    It is 0 if all rows are the same, and near -4 if they are spread over all directions of a high-dimensional space. At
    most `rows` rows, drawn with `seed`, are paired. Wang and Isola, arXiv 2005.10242, section 4.1.2.
    """
    drawn = np.sort(np.random.default_rng(seed).permutation(len(x))[:rows])
    sampled = _unit_length(x[drawn])
    above = np.triu_indices(len(sampled), 1)
    squared = (2 - 2 * sampled @ sampled.T)[above]  # ‖u - v‖² of unit vectors
    return float(np.log(np.mean(np.exp(-TEMPERATURE * squared))))


def alignment(first: Features, second: Features) -> float:
    """Mean of ‖u - v‖^α over the rows of two views of the same images (M, D), scaled to length 1, with α = 2.

    It is 0 if both views of every image are the same, and 2 if they are orthogonal. It is 0 for collapsed features as
    well, so it is meaningful only together with the uniformity. Wang and Isola, arXiv 2005.10242, section 4.1.1.
    """
    return float(np.mean(np.linalg.norm(_unit_length(first) - _unit_length(second), axis=1) ** POWER))


def _unit_length(x: Features) -> NDArray[np.float64]:
    """Features (N, D) with each row scaled to length 1; a row of zeros is unchanged."""
    rows = x.astype(np.float64)
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return np.asarray(rows / lengths)
