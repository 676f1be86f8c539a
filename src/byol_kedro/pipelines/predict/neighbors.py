"""Search for the known images with the most similar features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.evaluation.search import search

# Equal pixels have features that are equal up to rounding: below this cosine similarity two images differ.
MIN_COPY_SIMILARITY = 0.999

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The images of one split whose features are saved.

    Attributes:
        name: Name of the split.
        features: (N, D) float32, possibly a memory map.
        names: Names of the N images.
        pixels: Pixels of all M images of the split, (M, 3, H, W) uint8, a memory map.
        index: Rows of the N images in `pixels`, (N,) int64.
    """

    name: str
    features: Features
    names: Sequence[str]
    pixels: Pixels
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Neighbors:
    """Names, splits and cosine similarities of the nearest known images of each new one, the nearest first."""

    names: list[list[str]]
    splits: list[list[str]]
    similarities: list[list[float]]


def known_split(name: str, latents: Tensors, images: Images) -> Split:
    """The split of `latents` and `images`.

    Raises:
        UserError: The features belong to other images.
    """
    return Split(name, mapped(latents, "features"), image_names(latents, images), images.pixels, latents["index"])


def nearest_known(splits: Sequence[Split], features: Features, pixels: Pixels, count: int) -> Neighbors:
    """The `count` nearest images of all splits, or all of them if there are fewer.

    A known image with the same pixels is the new image itself or a copy of it, and is not counted as a neighbor.

    Args:
        splits: The known images.
        features: Features of the new images, (n, D) float32.
        pixels: Pixels of the new images, (n, 3, S, S) uint8.
        count: Number of neighbors.
    """
    total = sum(len(split.features) for split in splits)
    searched = min(count + 1, total)
    while True:
        similarity, row = search([split.features for split in splits], features, searched)
        other = ~_is_copy(splits, similarity, row, pixels)
        if searched == total or other.sum(axis=1).min(initial=count) >= count:
            break
        searched = min(2 * searched, total)
    found = [np.flatnonzero(others)[:count] for others in other]
    ends = np.cumsum([len(split.features) for split in splits])
    names, split_names = [], []
    for rows, chosen in zip(row, found, strict=True):
        places = [_locate(ends, int(number)) for number in rows[chosen]]
        names.append([splits[part].names[position] for part, position in places])
        split_names.append([splits[part].name for part, _ in places])
    return Neighbors(
        names, split_names, [line[chosen].tolist() for line, chosen in zip(similarity, found, strict=True)]
    )


def _is_copy(
    splits: Sequence[Split], similarity: Features, row: NDArray[np.int64], pixels: Pixels
) -> NDArray[np.bool_]:
    """Which of the found images (n, k) have the same pixels as the new one."""
    copies = np.zeros(similarity.shape, np.bool_)
    ends = np.cumsum([len(split.features) for split in splits])
    for i, j in np.argwhere(similarity > MIN_COPY_SIMILARITY):
        part, position = _locate(ends, int(row[i, j]))
        split = splits[part]
        copies[i, j] = np.array_equal(split.pixels[split.index[position]], pixels[i])
    return copies


def _locate(ends: NDArray[np.int64], row: int) -> tuple[int, int]:
    """The split of a row numbered over all splits, and its position there; `ends` are the ends of the splits."""
    part = int(np.searchsorted(ends, row, side="right"))
    return part, row - (int(ends[part - 1]) if part else 0)
