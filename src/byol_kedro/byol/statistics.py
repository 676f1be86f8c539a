"""Numbers about images of any count; plain numpy, so that a stage without networks has them too."""

import mmap
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

PIECE = 512  # images

Pixels = npt.NDArray[np.uint8]


def channel_statistics(parts: Sequence[Pixels]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all `parts`, (n, 3, H, W) uint8, in [0, 1] units.

    How often each value occurs is counted in integers: exact, whatever the number of images. Both are empty
    where there is no image.
    """
    counts = np.zeros((3, 256), np.uint64)
    for part in parts:
        for piece in pieces(part):
            for channel in range(3):
                counts[channel] += np.bincount(piece[:, channel].ravel(), minlength=256).astype(np.uint64)
    count = int(counts[0].sum())
    if count == 0:
        return (), ()
    values = np.arange(256, dtype=np.uint64)
    mean = counts @ values / count
    std = np.sqrt(counts @ values**2 / count - mean**2)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def pieces(pixels: Pixels) -> Iterator[Pixels]:
    """`pixels` (n, 3, H, W) as copies of at most `PIECE` images; a memory map is never in memory whole."""
    for start in range(0, len(pixels), PIECE):
        yield np.array(pixels[start : start + PIECE])
        if isinstance(pixels.base, mmap.mmap):
            # What was read of the map would go on counting as this process's memory.
            pixels.base.madvise(mmap.MADV_DONTNEED)
