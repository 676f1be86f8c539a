"""Grids of images: a row for each class, cluster or view, with a title on the left."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from byol_kedro.datasets.images import Images
from byol_kedro.sources.source import UNKNOWN_LABEL

COLUMNS = 10
ROWS = 20  # classes shown at most
UNLABELED_ROWS = 2
TILE = 64  # pixels; smaller images are enlarged by a whole factor
MARGIN = 2  # pixels between tiles
TITLE = 96  # pixels for the title of a row
TITLE_LETTERS = 14
INK = (70, 70, 70)

Pixels = npt.NDArray[np.uint8]


def image_grid(rows: Iterable[tuple[str, Pixels]], columns: int = COLUMNS) -> Pixels:
    """Draw rows of images.

    Args:
        rows: Pairs of a title and the images of the row, (n, 3, S, S) uint8, S of each row; those beyond `columns` are
            not drawn.
        columns: Images in a row.

    Returns:
        The grid, (H, W, 3) uint8.
    """
    drawn = [_row(title, images[:columns], columns) for title, images in rows]
    drawn = drawn or [_row("no images", np.zeros((0, 3, TILE, TILE), np.uint8), columns)]
    width = max(row.shape[1] for row in drawn)
    padded = (np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in drawn)
    return np.concatenate(list(padded))


def class_grid(train: Images, unlabeled: Images) -> Pixels:
    """Draw images of each class, evenly spaced over its images, then unlabeled images: (H, W, 3) uint8."""
    return image_grid([*_class_rows(train), *_unlabeled_rows(unlabeled if len(unlabeled) else train)])


def _class_rows(train: Images) -> Iterator[tuple[str, Pixels]]:
    for label, name in enumerate(train.class_names[:ROWS]):
        yield name, train.pixels[_evenly_spaced(np.flatnonzero(train.labels == label), COLUMNS)]


def _unlabeled_rows(images: Images) -> Iterator[tuple[str, Pixels]]:
    chosen = _evenly_spaced(np.flatnonzero(images.labels == UNKNOWN_LABEL), UNLABELED_ROWS * COLUMNS)
    for start in range(0, len(chosen), COLUMNS):
        yield "" if start else "unlabeled", images.pixels[chosen[start : start + COLUMNS]]


def _evenly_spaced(positions: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """At most `count` of the positions."""
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]


def _row(title: str, images: Pixels, columns: int) -> Pixels:
    factor = max(1, round(TILE / max(images.shape[2:])))
    height, width = (factor * side for side in images.shape[2:])
    canvas = np.full((height + MARGIN, TITLE + columns * (width + MARGIN), 3), 255, dtype=np.uint8)
    for column, image in enumerate(images.transpose(0, 2, 3, 1)):  # (H, W, 3)
        left = TITLE + column * (width + MARGIN)
        canvas[:height, left : left + width] = image.repeat(factor, axis=0).repeat(factor, axis=1)
    canvas[:height, :TITLE] = _title(title, height)
    return canvas


def _title(text: str, height: int) -> Pixels:
    label = Image.new("RGB", (TITLE, height), "white")
    font = ImageFont.load_default(size=13)
    ImageDraw.Draw(label).text((4, height // 2), text[:TITLE_LETTERS], fill=INK, font=font, anchor="lm")
    return np.asarray(label)
