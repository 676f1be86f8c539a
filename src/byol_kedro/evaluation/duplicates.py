"""Near-duplicate detection: perceptual hashes, their distances, and a check of the pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]  # ships no types

from byol_kedro.evaluation.probes.base import Labels

Hashes = NDArray[np.uint64]

# Of 64 bits. Krawetz, "Looks Like It" (hackerfactor.com, 2011): 5 "probably still close enough to be similar", 10 or
# more "probably a very different image". docs/protocols.md has the measured error rate.
NEAR = 5
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
FREQUENCIES = np.arange(1, 9)  # without 0, the brightness, in which copies may differ
# Measured (docs/results.md): among pairs with near hashes, copies have at least 0.80 and others at most 0.60.
ALIKE = 0.7
ROWS = 32  # 32 by 105,000 distances are 26 MiB


def perceptual_hash(pixels: NDArray[np.uint8]) -> Hashes:
    """64-bit hashes (N,) uint64 of images (N, 3, H, W) that small changes of an image hardly affect.

    The bits are the cosine coefficients of the gray image for frequencies 1 to 8 in both directions: 1 if a coefficient
    is above the median of the 64. This is the DCT hash of pHash (Zauner, "Implementation and benchmarking of perceptual
    image hash functions", 2010) without its blur and its reduction to 32 by 32, which do not affect such low
    frequencies.
    """
    count, _, height, width = pixels.shape
    down = np.concatenate([weight * _cosines(height) for weight in LUMA], axis=1)  # (8, 3 H)
    across = pixels.astype(np.float32).reshape(-1, width) @ _cosines(width).T  # (N 3 H, 8)
    coefficients = (down @ across.reshape(count, 3 * height, 8)).reshape(count, 64)
    bits = coefficients > np.median(coefficients, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).reshape(count)


def nearest(hashes: Hashes, others: Hashes) -> tuple[NDArray[np.uint8], Labels]:
    """Distance in bits (M,) of each of `hashes` (M,) to the nearest of `others` (N,), N > 0, and its row (M,)."""
    distances, rows = np.empty(len(hashes), np.uint8), np.empty(len(hashes), np.int64)
    for start in range(0, len(hashes), ROWS):
        part = slice(start, start + ROWS)
        bits = np.bitwise_count(hashes[part, None] ^ others)
        rows[part] = bits.argmin(axis=1)
        distances[part] = bits.min(axis=1)
    return distances, rows


def alike(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether the pixels of two images (3, H, W) with near hashes agree as well.

    A hash has the signs of the coefficients, not their sizes, so images of two different walls can have the same hash.
    Therefore Spearman's rank correlation of the gray images has to be at least `ALIKE`: ranks, because a copy may be
    brighter, and because a single bright spot would dominate the values. The correlation of the images without the mean
    of each row and column has to be so, too, because the brightness gradients of two skies agree. Images that vary by
    less than a gray level are not alike, since their ranks are arbitrary.
    """
    gray = [np.tensordot(LUMA, pixels.astype(np.float64), axes=1) for pixels in (image, other)]
    inner = [x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean() for x in gray]
    return min(_rank_correlation(*gray), _rank_correlation(*inner)) >= ALIKE


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation of two gray images, rounded to whole gray levels; 0 if one is constant."""
    first, second = (rankdata(np.round(x)) - (x.size + 1) / 2 for x in (a, b))
    length = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / length) if length else 0.0


def _cosines(side: int) -> NDArray[np.float32]:
    """The cosines of `FREQUENCIES` over `side` pixels, (8, side)."""
    positions = (np.arange(side) + 0.5) / side
    return np.cos(np.pi * np.outer(FREQUENCIES, positions)).astype(np.float32)
