"""Peak signal-to-noise ratio between pictures of one array."""

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.pair_rows import Rows, Stack

PEAK = 255
# Two pictures that are the same have an infinite PSNR, black beside white has 0 dB: between these bounds the
# target 1/(psnr_1 + psnr_2) stays finite and no single pair rules its mean.
LOWEST_DB, HIGHEST_DB = 1.0, 100.0
# What one side of a chunk takes: small enough to stay in the processor's cache, where this is twice as fast.
CHUNK_BYTES = 1 << 20


def pair_psnr(pixels: Stack, left: Rows, right: Rows) -> NDArray[np.float64]:
    """PSNR of `pixels[left[i]]` and `pixels[right[i]]` for every i, in dB.

    pixels: (N, 3, H, W) uint8; left, right: (P,) int64 rows of it. Returns (P,) float64:
    10·log10(255² / mean squared error over all channels), held between 1 and 100 dB.
    """
    chunk = max(1, CHUNK_BYTES // int(np.prod(pixels.parts[0].shape[1:])))
    error = np.empty(len(left))
    for start in range(0, len(left), chunk):
        rows = slice(start, start + chunk)
        first, second = (pixels[side[rows]].reshape(len(side[rows]), -1) for side in (left, right))
        error[rows] = _mean_squared_error(first, second)
    with np.errstate(divide="ignore"):
        decibel = 10 * np.log10(PEAK**2 / error)
    return np.asarray(decibel.clip(LOWEST_DB, HIGHEST_DB), np.float64)


def _mean_squared_error(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, D) uint8 twice → (n,) float64, exact: the squares are summed as integers."""
    difference = np.maximum(first, second) - np.minimum(first, second)
    total = np.square(difference, dtype=np.uint16).sum(axis=1, dtype=np.uint64)
    return np.asarray(total / first.shape[1], np.float64)
