"""SSIM and PSNR of pairs of images."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byol_kedro.errors import UserError
from byol_kedro.pair_model.pairs import ConcatArray, Rows

WINDOW = 7  # pixels per side, as in scikit-image
K1, K2, PEAK = 0.01, 0.03, 255  # Wang et al. 2004, §III-B
PIXELS = 1 << 17  # values per side of a chunk for SSIM, which has to fit the processor's cache
# The PSNR of equal images is infinite, that of a black and a white image is 0 dB. Within these bounds the target
# 1/(psnr_1 + psnr_2) is finite and no single pair dominates its mean.
LOWEST_DB, HIGHEST_DB = 1.0, 100.0
# Bytes per side of a chunk for PSNR. A chunk that fits the processor's cache is twice as fast.
CHUNK_BYTES = 1 << 20


def pair_ssim(pixels: ConcatArray, left: Rows, right: Rows) -> NDArray[np.float64]:
    """SSIM of `pixels[left[i]]` and `pixels[right[i]]` for every i, at most 1.

    Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", IEEE Transactions on Image Processing 13 (2004),
    equation 13, averaged over the channels and all 7 by 7 windows inside the image, with equal weights and sample
    covariances. These are the defaults of scikit-image's `structural_similarity`.

    Args:
        pixels: (N, 3, H, W) uint8, at least 7 by 7.
        left: (P,) int64 rows of `pixels`.
        right: (P,) int64 rows of `pixels`.

    Returns:
        (P,) float64.

    Raises:
        UserError: the images are smaller than 7 by 7.
    """
    *_, height, width = pixels.parts[0].shape
    if min(height, width) < WINDOW:
        raise UserError(
            f"pair_model.pairs.target: ssim needs images of at least {WINDOW}×{WINDOW} pixels, found "
            f"{width}×{height}; ingest larger images or use psnr"
        )
    chunk = max(1, PIXELS // int(np.prod(pixels.parts[0].shape[1:])))
    similarity = np.empty(len(left))
    with torch.inference_mode():
        for start in range(0, len(left), chunk):
            rows = slice(start, start + chunk)
            first, second = (torch.from_numpy(pixels[side[rows]]) for side in (left, right))
            similarity[rows] = _ssim(first.int(), second.int()).numpy()
    return similarity


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    """(n, C, H, W) int32 twice → (n,) float32. Sums and n·Σxy − Σx·Σy are integers below 2³¹, so they are exact."""
    count = WINDOW**2
    sum_x, sum_y = _window_sums(x), _window_sums(y)
    products = sum_x * sum_y
    squares = sum_x**2 + sum_y**2
    covariance = (count * _window_sums(x * y) - products).float() / (count * (count - 1))
    variances = (count * _window_sums(x**2 + y**2) - squares).float() / (count * (count - 1))
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    means = (2 * products.float() / count**2 + c1) / (squares.float() / count**2 + c1)
    return (means * (2 * covariance + c2) / (variances + c2)).mean(dim=(1, 2, 3))


def _window_sums(x: Tensor) -> Tensor:
    """(n, C, H, W) int32 → (n, C, H − 6, W − 6) int32, the sum of each window."""
    for dim in (2, 3):
        sums = x.cumsum(dim, dtype=torch.int32)
        size = x.shape[dim] - WINDOW + 1
        later = sums.narrow(dim, WINDOW - 1, size)
        x = later.clone()
        x.narrow(dim, 1, size - 1).sub_(sums.narrow(dim, 0, size - 1))
    return x


def pair_psnr(pixels: ConcatArray, left: Rows, right: Rows) -> NDArray[np.float64]:
    """PSNR of `pixels[left[i]]` and `pixels[right[i]]` for every i, in dB.

    Args:
        pixels: (N, 3, H, W) uint8.
        left: (P,) int64 rows of `pixels`.
        right: (P,) int64 rows of `pixels`.

    Returns:
        (P,) float64: 10·log10(255² / mean squared error over all channels), clipped to 1 to 100 dB.
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
