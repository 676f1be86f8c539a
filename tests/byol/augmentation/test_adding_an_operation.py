"""The diff in docs/extending.md adds an operation to the views."""

import importlib

import torch

from tests.support.diffs import documented_diff, patched_package
from tests.support.trainings import VIEW

UNCHANGED = VIEW | dict.fromkeys(
    ("hflip_prob", "color_jitter_prob", "grayscale_prob", "blur_prob", "solarize_prob"), 0.0
)


def test_the_documented_diff_adds_random_erasing(tmp_path):
    with patched_package(documented_diff("extending.md", "An augmentation operation"), tmp_path):
        augment = importlib.import_module("byol_kedro.byol.augmentation.augment").augment
        view = importlib.import_module("byol_kedro.parameters").View(
            **UNCHANGED | {"scale": [1.0, 1.0], "ratio": [1.0, 1.0], "erase_prob": 0.5}
        )
        images = torch.full((40, 3, 16, 16), 255, dtype=torch.uint8)
        views = augment(images, view, torch.Generator().manual_seed(0))
    erased = views == 0.5
    assert (erased | (views == 1)).all()
    areas = erased[:, 0].sum(dim=(1, 2))
    assert 10 < (areas > 0).sum() < 30
    assert areas.max() == 64  # a square of half the side, where it is inside the image
    assert len(areas.unique()) > 5  # cut off at the borders, at another position in each image
