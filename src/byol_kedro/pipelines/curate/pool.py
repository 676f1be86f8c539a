"""The images of all splits as one sequence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Features, Labels
from byol_kedro.evaluation.search import nearest_others


@dataclass(frozen=True, eq=False)
class Neighbors:
    """Cosine similarity and row (F, k) of the nearest other images of each image with features, nearest first."""

    similarity: Features
    row: Labels


@dataclass(frozen=True, eq=False)
class ImagePool:
    """All images; those with saved features come first.

    Attributes:
        names: Their names.
        split: The split of each.
        labels: (N,) int64, -1 where unknown.
        class_names: Names of the classes.
        features: (F, D) float32 of the first F images.
        place: Split and position of each in `images`.
        images: The splits.
    """

    names: list[str]
    split: list[str]
    labels: Labels
    class_names: list[str]
    features: Features
    place: list[tuple[str, int]]
    images: Mapping[str, Images]

    @classmethod
    def of(cls, images: Mapping[str, Images], latents: Mapping[str, Tensors]) -> Self:
        """Put the splits together."""
        index = {split: latents[split]["index"] for split in images}
        place = [(split, int(row)) for split in images for row in index[split]]
        for split in images:
            place += [(split, int(row)) for row in np.setdiff1d(np.arange(len(images[split])), index[split])]
        return cls(
            names=[images[split].names[row] for split, row in place],
            split=[split for split, _ in place],
            labels=np.array([images[split].labels[row] for split, row in place], np.int64),
            class_names=images["train"].class_names,
            features=np.concatenate([latents[split]["features"] for split in images]),
            place=place,
            images=images,
        )

    def __len__(self) -> int:
        """The number of images."""
        return len(self.names)

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        """The pixels (3, H, W) of an image."""
        split, position = self.place[row]
        pixels: NDArray[np.uint8] = self.images[split].pixels[position]
        return pixels

    def nearest(self, count: int) -> Neighbors:
        """The nearest `count` other images of each image with features, or all of them if there are fewer."""
        return Neighbors(*nearest_others(self.features, count))
