"""Statistics of any number of images, in plain numpy, so that stages without networks need not import torch."""

import mmap
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

CHUNK = 512  # images

Pixels = npt.NDArray[np.uint8]


def channel_statistics(parts: Sequence[Pixels]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all `parts`, (n, 3, H, W) uint8, in [0, 1] units.

    They are exact for any number of images, since they are computed from integer counts of each value. Both are empty
    if there is no image.
    """
    counts = np.zeros((3, 256), np.uint64)
    for part in parts:
        for chunk in chunks(part):
            for channel in range(3):
                counts[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256).astype(np.uint64)
    count = int(counts[0].sum())
    if count == 0:
        return (), ()
    values = np.arange(256, dtype=np.uint64)
    mean = counts @ values / count
    std = np.sqrt(counts @ values**2 / count - mean**2)
    return tuple((mean / 255).tolist()), tuple((std / 255).tolist())


def chunks(pixels: Pixels) -> Iterator[Pixels]:
    """Copy of at most `CHUNK` of the images (n, 3, H, W). A memory map is never read into memory completely."""
    for start in range(0, len(pixels), CHUNK):
        yield np.array(pixels[start : start + CHUNK])
        if isinstance(pixels.base, mmap.mmap):
            # Otherwise the pages that were read would still count as memory of this process.
            pixels.base.madvise(mmap.MADV_DONTNEED)
