"""Whether confidences can be believed."""

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.fit import Features

BINS = 15  # Guo et al., arXiv 1706.04599, table 1


def expected_calibration_error(confidence: Features, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy, in [0, 1], over bins of equal width (((m - 1) / M, m / M]).

    confidence (M,) float32: the probability of the guess; right (M,) bool. A bin counts with the share of the
    pictures that it holds. Equation 3 of Guo, Pleiss, Sun, Weinberger, arXiv 1706.04599.
    """
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins) - 1, 0, bins - 1).astype(np.int64)
    gaps = np.bincount(place, weights=right - confidence.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
