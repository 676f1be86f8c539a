import sys

import numpy as np
import pytest

from byol_kedro.datasets.pixels import Before, write_pixels
from tests.support.image_datasets import random_pixels, stream_of
from tests.support.memory import resident


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")
def test_images_of_the_version_before_do_not_stay_in_memory(tmp_path):
    pixels, keys = random_pixels(64, side=64), np.arange(128).view(np.uint8).reshape(64, 16)
    pixels.tofile(tmp_path / "before")
    mapped = np.memmap(tmp_path / "before", dtype=np.uint8, mode="r", shape=pixels.shape)
    before = Before(mapped, keys, np.zeros(64, np.bool_))
    stream = stream_of(pixels, keys=keys, batches=lambda wanted: iter(pixels[wanted]))
    with (tmp_path / "after").open("wb") as file:
        write_pixels(file, stream, before)
    np.testing.assert_array_equal(np.load(tmp_path / "after"), pixels)
    assert resident(tmp_path / "before") == 0
