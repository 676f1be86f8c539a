"""A look at the images: a row for each class, and rows of images without label."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from byol_kedro.datasets.images import Images
from byol_kedro.sources.stream import UNKNOWN_LABEL

COLUMNS = 10
ROWS = 20  # classes; with more, the first of them are shown
UNLABELED_ROWS = 2
TILE = 64  # pixels; smaller images are enlarged by a whole factor
MARGIN = 2  # pixels between tiles
TITLE = 96  # pixels for the name of a row
INK = (70, 70, 70)

Pixels = npt.NDArray[np.uint8]


def draw_grid(train: Images, unlabeled: Images) -> Pixels:
    """(H, W, 3) uint8: up to ten images of each class, spread over its images, then images without label."""
    rows = [
        (name, _spread(np.flatnonzero(train.labels == label), COLUMNS))
        for label, name in enumerate(train.class_names[:ROWS])
    ]
    strips = [_strip(name, train, chosen) for name, chosen in rows]
    without = unlabeled if len(unlabeled) else train
    chosen = _spread(np.flatnonzero(without.labels == UNKNOWN_LABEL), UNLABELED_ROWS * COLUMNS)
    for start in range(0, len(chosen), COLUMNS):
        title = "" if start else "unlabeled"
        strips.append(_strip(title, without, chosen[start : start + COLUMNS]))
    return np.concatenate(strips or [_strip("no images", train, chosen)])


def draw_rows(rows: Mapping[str, npt.NDArray[np.int64]], images: Images) -> Pixels:
    """(H, W, 3) uint8: for each title a row of at most ten images, which are given by their numbers."""
    strips = [_strip(title, images, chosen[:COLUMNS]) for title, chosen in rows.items()]
    return np.concatenate(strips or [_strip("nothing", images, np.zeros(0, np.int64))])


def _spread(positions: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """At most `count` of the positions, evenly spread."""
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]


def _strip(title: str, images: Images, chosen: npt.NDArray[np.int64]) -> Pixels:
    """One row: its title, then the chosen images."""
    factor = max(1, round(TILE / max(images.pixels.shape[2:])))
    height, width = (factor * side for side in images.pixels.shape[2:])
    canvas = np.full((height + MARGIN, TITLE + COLUMNS * (width + MARGIN), 3), 255, dtype=np.uint8)
    for column, index in enumerate(chosen):
        image = images.pixels[index].transpose(1, 2, 0)  # (H, W, 3)
        left = TITLE + column * (width + MARGIN)
        canvas[:height, left : left + width] = image.repeat(factor, axis=0).repeat(factor, axis=1)
    canvas[:height, :TITLE] = _title(title, height)
    return canvas


def _title(text: str, height: int) -> Pixels:
    label = Image.new("RGB", (TITLE, height), "white")
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(label).text((4, height // 2), text[:14], fill=INK, font=font, anchor="lm")
    return np.asarray(label)
