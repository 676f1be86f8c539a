"""Resize images as the authors of an imported network do: the shorter side, then the center square."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

# By timm's names.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def shorter_side(size: int, crop: float) -> int:
    """The shorter side in pixels to which an image is resized before its center of `size` is cut out."""
    return math.floor(size / crop)


def resize_center(image: Image.Image, size: int, crop: float, resample: str) -> npt.NDArray[np.uint8]:
    """Resize the shorter side and cut out the center, to the pixel as torchvision's `Resize` and `CenterCrop`.

    Args:
        image: an RGB image of any size.
        size: height and width of the result.
        crop: the part of the shorter side that remains, above 0 and at most 1.
        resample: name of the filter in `FILTERS`.

    Returns:
        (3, size, size) uint8.
    """
    short = shorter_side(size, crop)
    width, height = image.size
    if width <= height:
        width, height = short, int(short * height / width)
    else:
        width, height = int(short * width / height), short
    resized = image if image.size == (width, height) else image.resize((width, height), FILTERS[resample])
    left, top = (round((length - size) / 2) for length in (width, height))
    center = resized.crop((left, top, left + size, top + size))
    return np.ascontiguousarray(np.asarray(center).transpose(2, 0, 1))
