"""Images that look the same: perceptual hashes, which of them are close, and whether the images agree."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata  # type: ignore[import-untyped]  # it ships no types

from byol_kedro.evaluation.probes.base import Labels

Hashes = NDArray[np.uint64]

# Of 64 bits. Krawetz, "Looks Like It" (hackerfactor.com, 2011): 5 "probably still close enough to be similar", 10 or
# more "probably a very different image". docs/protocols.md says how often it was wrong.
NEAR = 5
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
FREQUENCIES = np.arange(1, 9)  # of the cosines; 0 would be the brightness, which copies differ in
# Measured (docs/results.md): pairs of near hashes that show one photograph have 0.80 and more, others 0.60 and less.
ALIKE = 0.7
ROWS = 32  # 32 by 105,000 distances are 26 MiB


def perceptual_hash(pixels: NDArray[np.uint8]) -> Hashes:
    """A 64-bit hash (N,) uint64 of each image of pixels (N, 3, H, W) that small changes hardly move.

    Of the gray image's cosine transform the frequencies 1 to 8 in both directions, each a bit: whether it is above
    the median of the 64. The DCT hash of pHash: Zauner, "Implementation and benchmarking of perceptual image hash
    functions" (2010); without its blur and its reduction to 32 by 32, which such low frequencies do not feel.
    """
    count, _, height, width = pixels.shape
    down = np.concatenate([weight * _cosines(height) for weight in LUMA], axis=1)  # (8, 3 H)
    across = pixels.astype(np.float32).reshape(-1, width) @ _cosines(width).T  # (N 3 H, 8)
    waves = (down @ across.reshape(count, 3 * height, 8)).reshape(count, 64)
    bits = waves > np.median(waves, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64).reshape(count)


def nearest(hashes: Hashes, others: Hashes) -> tuple[NDArray[np.uint8], Labels]:
    """For each of hashes (M,) the distance, in bits, to the nearest of others (N,), N at least 1, and its row."""
    distances, rows = np.empty(len(hashes), np.uint8), np.empty(len(hashes), np.int64)
    for start in range(0, len(hashes), ROWS):
        part = slice(start, start + ROWS)
        bits = np.bitwise_count(hashes[part, None] ^ others)
        rows[part] = bits.argmin(axis=1)
        distances[part] = bits.min(axis=1)
    return distances, rows


def alike(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two images (3, H, W) of near hashes agree in their pixels, too.

    A hash knows the sign of a wave, not its height: a wall with a spot in its corner has the hash of another such.
    So Spearman's rank correlation of the gray images has to be `ALIKE`. Ranks, since a copy may be brighter, and
    one bright spot would outweigh the wall. The same of what is left without the mean of each row and column, since
    of two skies any slope agrees. Images that vary by less than a gray level are not alike: nothing can be told.
    """
    gray = [np.tensordot(LUMA, pixels.astype(np.float64), axes=1) for pixels in (image, other)]
    inner = [x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean() for x in gray]
    return min(_rank_correlation(*gray), _rank_correlation(*inner)) >= ALIKE


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's of two gray images in whole gray levels, ties sharing their mean rank; 0 of a plain one."""
    first, second = (rankdata(np.round(x)) - (x.size + 1) / 2 for x in (a, b))
    length = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / length) if length else 0.0


def _cosines(side: int) -> NDArray[np.float32]:
    """The waves of `FREQUENCIES` over `side` pixels, (8, side)."""
    places = (np.arange(side) + 0.5) / side
    return np.cos(np.pi * np.outer(FREQUENCIES, places)).astype(np.float32)
