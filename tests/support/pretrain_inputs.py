"""Small images for the tests of the pipeline pretrain."""

import numpy as np

from byol_kedro.datasets.images import Images
from tests.support.trainings import images


def split(name, count, labels=None):
    return Images(
        pixels=images(count, seed=len(name)),
        labels=np.arange(count) % 2 if labels is None else labels,
        names=[f"{name}/{i}" for i in range(count)],
        class_names=["a", "b"],
        folds=[],
        fingerprint=f"{name}-mark",
        source="array",
    )


UNLABELED, TRAIN = split("unlabeled", 12, np.full(12, -1)), split("train", 10)
