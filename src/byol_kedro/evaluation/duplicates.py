"""Pictures that look the same: perceptual hashes and which of them are close. Plain numpy."""

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.fit import Labels

Hashes = NDArray[np.uint64]

# Of 64 bits. Krawetz, "Looks Like It" (hackerfactor.com, 2011): 5 "probably still close enough to be similar", 10 or
# more "probably a very different picture". docs/protocols.md says how often it was wrong.
NEAR = 5
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
FREQUENCIES = np.arange(1, 9)  # of the cosines; 0 would be the brightness, which copies differ in
ROWS = 32  # 32 by 105,000 distances are 26 MiB


def perceptual_hash(pixels: NDArray[np.uint8]) -> Hashes:
    """A 64-bit hash (N,) uint64 of each picture of pixels (N, 3, H, W) that small changes hardly move.

    Of the grey picture's cosine transform the frequencies 1 to 8 in both directions, each a bit: whether it is above
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


def _cosines(side: int) -> NDArray[np.float32]:
    """The waves of `FREQUENCIES` over `side` pixels, (8, side)."""
    places = (np.arange(side) + 0.5) / side
    return np.cos(np.pi * np.outer(FREQUENCIES, places)).astype(np.float32)
