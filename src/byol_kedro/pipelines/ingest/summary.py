"""Numbers about a split of pictures, read in pieces."""

import mmap
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.datasets.images import UNKNOWN_LABEL, Images

PIECE = 512  # pictures


def describe(images: Images) -> dict[str, Any]:
    """Count, size, classes, channel mean and standard deviation (in [0, 1] units; none for no pictures)."""
    count, channels, height, width = images.pixels.shape
    mean, deviation = channel_statistics(images)
    known = images.labels[images.labels != UNKNOWN_LABEL]
    per_class = np.bincount(known, minlength=len(images.class_names)).tolist()
    return {
        "count": count,
        "height": height,
        "width": width,
        "bytes": count * channels * height * width,
        "classes": dict(zip(images.class_names, per_class, strict=True)) if len(known) else {},
        "without_label": count - len(known),
        "folds": len(images.folds),
        "mean": mean,
        "std": deviation,
        "source": images.source,
        "fingerprint": images.fingerprint,
    }


def channel_statistics(images: Images) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of red, green, blue over all pixels, exact; empty for no pictures."""
    if len(images) == 0:
        return [], []
    counts = np.zeros((3, 256), dtype=np.int64)
    for piece in _pieces(images):
        for channel in range(3):
            counts[channel] += np.bincount(piece[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(axis=1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
    return mean.tolist(), np.sqrt(variance).tolist()


def count_shared(train: Images, test: Images) -> int:
    """How many test pictures are, byte for byte, also training pictures."""
    seen = set(_digests(train))
    return sum(digest in seen for digest in _digests(test))


def _digests(images: Images) -> Iterator[bytes]:
    for piece in _pieces(images):
        for picture in piece:
            yield sha256(picture.data).digest()


def _pieces(images: Images) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(images), PIECE):
        yield np.array(images.pixels[start : start + PIECE])
        if isinstance(images.pixels.base, mmap.mmap):
            # What was read of the map would go on counting as this process's memory.
            images.pixels.base.madvise(mmap.MADV_DONTNEED)
