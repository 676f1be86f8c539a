"""The diff in docs/data.md adds a source whose images and labels are ingested."""

import importlib

import numpy as np

from tests.support.diffs import documented_diff, patched_package
from tests.support.image_datasets import random_pixels


def test_the_documented_diff_adds_a_source(tmp_path):
    with patched_package(documented_diff("data.md", "Add a source"), tmp_path / "package"):
        folders = importlib.import_module("tests.support.image_folders")
        pixels = {split: random_pixels(5, folders.SIDE, seed) for seed, split in enumerate(folders.SPLITS)}
        for split, array in pixels.items():
            array.transpose(0, 2, 3, 1).tofile(tmp_path / f"{split}.rgb")
        images = folders.ingested("raw", tmp_path, tmp_path / "out")
    for split, array in pixels.items():
        np.testing.assert_array_equal(images[split].pixels, array)
        assert (images[split].labels == -1).all()
