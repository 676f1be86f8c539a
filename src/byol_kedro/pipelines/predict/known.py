"""The training images, among which the kNN classifiers vote."""

from dataclasses import dataclass

import numpy as np

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import image_names
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Features, Labels
from byol_kedro.log import Brief


@dataclass(frozen=True, repr=False)
class Known(Brief):
    """features (N, D) float32, labels (N,) int64, -1 where unknown, and names of the training images."""

    features: Features
    labels: Labels
    names: list[str]
    class_names: list[str]


def known_images(latents_train: Tensors, images_train: Images) -> Known:
    """In the order of the images, as the classifiers see them. UserError when the features are of other images."""
    names = image_names(latents_train, images_train)
    order = np.argsort(latents_train["index"])
    return Known(
        latents_train["features"][order],
        latents_train["labels"][order],
        [names[row] for row in order],
        images_train.class_names,
    )
