"""Copying reused images takes little memory."""

import sys

import numpy as np
import pytest

from byol_kedro.datasets.pixels import LastImages, write_pixels
from tests.support.image_datasets import random_pixels, stream_of
from tests.support.memory import resident


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")
def test_reused_images_do_not_stay_in_memory(tmp_path):
    pixels, keys = random_pixels(64, side=64), np.arange(128).view(np.uint8).reshape(64, 16)
    pixels.tofile(tmp_path / "last")
    mapped = np.memmap(tmp_path / "last", dtype=np.uint8, mode="r", shape=pixels.shape)
    last = LastImages(mapped, keys, np.zeros(64, np.bool_))
    stream = stream_of(pixels, keys=keys)
    with (tmp_path / "new").open("wb") as file:
        write_pixels(file, stream, last)
    np.testing.assert_array_equal(np.load(tmp_path / "new"), pixels)
    assert resident(tmp_path / "last") == 0
