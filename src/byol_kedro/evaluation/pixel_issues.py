"""Images that show little: empty, dark or blurred ones, by their gray levels."""

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.duplicates import LUMA

Scores = NDArray[np.float64]
# Chosen, of 255 gray levels.
EMPTY, DARK = 4.0, 32.0
# Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): a modified z-score beyond 3.5 is an outlier.
OUTLIER = 3.5


def pixel_measures(pixels: NDArray[np.uint8]) -> dict[str, Scores]:
    """Measures (N,) of images (N, 3, H, W).

    Returns:
        `contrast`, the standard deviation of the gray levels; `bright`, their 95th percentile; `sharp`, the logarithm
        of the variance of their Laplacian, relative to the variance of the gray levels.
    """
    gray = np.tensordot(np.asarray(LUMA, np.float32), pixels.astype(np.float32), axes=(0, 1))  # (N, H, W)
    inner = gray[:, 1:-1, 1:-1]
    laplacian = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:] - 4 * inner
    contrast = gray.std(axis=(1, 2), dtype=np.float64)
    sharp = np.log((laplacian.var(axis=(1, 2), dtype=np.float64) + 1e-3) / (contrast**2 + 1e-3))
    return {"contrast": contrast, "bright": np.percentile(gray, 95, axis=(1, 2)), "sharp": sharp}


def modified_z(values: Scores) -> Scores:
    """Modified z-scores (N,): distances to the median in units of 1.4826 times the median absolute deviation."""
    if not len(values):
        return values
    distance = values - np.median(values)
    spread = 1.4826 * np.median(np.abs(distance))
    return np.asarray(distance / spread if spread else np.zeros(len(values)))
