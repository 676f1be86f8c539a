"""Images side by side on one sheet."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def image_of(pixels: Pixels) -> Image.Image:
    """The pixels (3, H, W) as an RGB image."""
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def tiled(images: Iterable[Pixels], *, columns: int, rows: int, side: int) -> Image.Image:
    """Place images (3, H, W) of any size row by row on a black sheet, each resized to `side` by `side` pixels."""
    sheet = Image.new("RGB", (columns * side, rows * side))
    for place, pixels in enumerate(images):
        tile = image_of(pixels).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(tile, (place % columns * side, place // columns * side))
    return sheet
