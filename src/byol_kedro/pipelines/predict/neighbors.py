"""The known images whose features are most like those of a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import image_names
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.evaluation.probes.knn import TRAIN_ROWS, nearest

# Equal pixels have features that are equal up to rounding: below this cosine similarity two images are not the same.
SAME = 0.999

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The images of one split whose features are known.

    features: (N, D) float32, perhaps a memory map; names: N of them; pixels: (M, 3, H, W) uint8, a memory map, in which
    `index` (N,) int64 says where each of the N is.
    """

    name: str
    features: Features
    names: Sequence[str]
    pixels: Pixels
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Neighbors:
    """Of n new images: names, splits and cosine similarities of the nearest known ones of each, the nearest first."""

    names: list[list[str]]
    splits: list[list[str]]
    similarities: list[list[float]]


def known_split(name: str, latents: Tensors, images: Images) -> Split:
    """UserError when the features are of other images."""
    return Split(name, mapped(latents, "features"), image_names(latents, images), images.pixels, latents["index"])


def nearest_known(splits: Sequence[Split], features: Features, pixels: Pixels, count: int) -> Neighbors:
    """The `count` nearest of all splits, or as many as there are, without the new image itself.

    features: (n, D) float32 and pixels (n, 3, S, S) uint8 of the new images. A known image with the same pixels is the
    new one itself, in the same file or in a copy, and no neighbor of it.
    """
    total = sum(len(split.features) for split in splits)
    asked = min(count + 1, total)
    while True:
        similarity, row = _search(splits, features, asked)
        other = ~_same(splits, similarity, row, pixels)
        if asked == total or other.sum(axis=1).min(initial=count) >= count:
            break
        asked = min(2 * asked, total)
    found = [np.flatnonzero(others)[:count] for others in other]
    ends = np.cumsum([len(split.features) for split in splits])
    names, homes = [], []
    for rows, chosen in zip(row, found, strict=True):
        places = [_place(ends, int(number)) for number in rows[chosen]]
        names.append([splits[part].names[position] for part, position in places])
        homes.append([splits[part].name for part, _ in places])
    return Neighbors(names, homes, [line[chosen].tolist() for line, chosen in zip(similarity, found, strict=True)])


def _search(splits: Sequence[Split], features: Features, count: int) -> tuple[Features, NDArray[np.int64]]:
    """Similarities and rows, counted through all splits, of the `count` nearest: (n, count), the nearest first."""
    new = torch.from_numpy(features)
    best, rows = torch.empty((len(new), 0)), torch.empty((len(new), 0), dtype=torch.int64)
    start = 0
    for split in splits:
        for first in range(0, len(split.features), TRAIN_ROWS):
            block = torch.from_numpy(np.array(split.features[first : first + TRAIN_ROWS]))
            similarity, row = nearest(block, start + first + torch.arange(len(block)), new, min(count, len(block)))
            similarity, row = torch.cat([best, similarity], dim=1), torch.cat([rows, row], dim=1)
            best, order = similarity.topk(min(count, similarity.shape[1]), dim=1)
            rows = row.gather(1, order)
        start += len(split.features)
    return best.numpy(), rows.numpy()


def _same(splits: Sequence[Split], similarity: Features, row: NDArray[np.int64], pixels: Pixels) -> NDArray[np.bool_]:
    """Which of the found images (n, k) have the pixels of the new one."""
    same = np.zeros(similarity.shape, np.bool_)
    ends = np.cumsum([len(split.features) for split in splits])
    for i, j in np.argwhere(similarity > SAME):
        part, position = _place(ends, int(row[i, j]))
        split = splits[part]
        same[i, j] = np.array_equal(split.pixels[split.index[position]], pixels[i])
    return same


def _place(ends: NDArray[np.int64], row: int) -> tuple[int, int]:
    """The split, and the position in it, of a row that is counted through all splits; ends: where each one ends."""
    part = int(np.searchsorted(ends, row, side="right"))
    return part, row - (int(ends[part - 1]) if part else 0)
