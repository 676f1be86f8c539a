"""Images for other processes on this machine, which map the same files instead of receiving copies."""

import dataclasses
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from byol_kedro.datasets.images import Images

# What a training reads besides pixels and labels. The rest, such as names, may be large and is left empty.
FIELDS = ("class_names", "fingerprint", "source")


def describe(images: Images, folder: Path) -> dict[str, Any]:
    """Describe images in JSON values, for `map_images`.

    Args:
        images: the images, whose pixels are usually in a file already.
        folder: an empty folder that exists as long as the description is used. It receives the labels, and the pixels
            if they are only in memory.
    """
    folder.mkdir()
    np.save(folder / "labels.npy", images.labels)
    pixels = images.pixels
    # A slice of a map keeps the file and the offset of the whole.
    if isinstance(pixels, np.memmap) and isinstance(pixels.base, mmap.mmap):
        place = {"file": str(pixels.filename), "offset": pixels.offset}
    else:
        np.ascontiguousarray(pixels).tofile(folder / "pixels")
        place = {"file": str(folder / "pixels"), "offset": 0}
    others = {name: getattr(images, name) for name in FIELDS}
    return {**others, **place, "shape": pixels.shape, "labels": str(folder / "labels.npy")}


def map_images(description: dict[str, Any]) -> Images:
    """The images of a description, with pixels and labels as read-only memory maps."""
    shape = tuple(description["shape"])
    pixels = np.zeros(shape, np.uint8)
    if pixels.size:  # an empty file cannot be mapped
        pixels = np.memmap(description["file"], np.uint8, "r", description["offset"], shape)
    labels = np.load(description["labels"], mmap_mode="r" if shape[0] else None)
    empty: dict[str, Any] = {field.name: [] for field in dataclasses.fields(Images)[:6]}
    return Images(**empty | {name: description[name] for name in FIELDS} | {"pixels": pixels, "labels": labels})
