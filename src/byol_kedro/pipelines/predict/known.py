"""The labeled training images, to which a probe without saved arrays is fitted."""

from dataclasses import dataclass

import numpy as np

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import image_names
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Features, Labels
from byol_kedro.log import Brief


@dataclass(frozen=True, repr=False)
class KnownImages(Brief):
    """Features (N, D) float32, labels (N,) int64, -1 where unknown, and names of the training images."""

    features: Features
    labels: Labels
    names: list[str]
    class_names: list[str]


def known_images(latents_train: Tensors, images_train: Images) -> KnownImages:
    """Features in the order of the images, as for the probes.

    Raises:
        UserError: The features belong to other images.
    """
    names = image_names(latents_train, images_train)
    order = np.argsort(latents_train["index"])
    return KnownImages(
        latents_train["features"][order],
        latents_train["labels"][order],
        [names[row] for row in order],
        images_train.class_names,
    )
