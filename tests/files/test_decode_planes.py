"""Images that the decoder would read as others, or that show nothing."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from byol_kedro.files.decode import NarrowPixels, UnreadableImage, decode

PIXELS = np.random.default_rng(0).integers(0, 2**16, (24, 24, 3), dtype=np.uint16)


def test_sixteen_bits_in_separate_planes_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", PIXELS.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    with pytest.raises(UnreadableImage, match="separate planes"):
        decode(tmp_path / "x.tif", 24)


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_eight_bits_are_read_in_either_order(tmp_path, planarconfig):
    pixels = (PIXELS >> 8).astype(np.uint8)
    ordered = pixels if planarconfig == "contig" else pixels.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "x.tif", ordered, photometric="rgb", planarconfig=planarconfig)
    assert np.array_equal(decode(tmp_path / "x.tif", 24), pixels.transpose(2, 0, 1))


def test_sixteen_bits_beside_each_other_are_read(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", PIXELS, photometric="rgb")
    assert np.array_equal(decode(tmp_path / "x.tif", 24), (PIXELS >> 8).astype(np.uint8).transpose(2, 0, 1))


@pytest.mark.parametrize(("alpha", "flat"), [(0, True), (1, False), (255, False)])
def test_an_image_that_is_transparent_everywhere_counts_as_flat(tmp_path, alpha, flat):
    rgba = np.dstack([(PIXELS >> 8).astype(np.uint8), np.full((24, 24), alpha, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "x.png")
    assert isinstance(decode(tmp_path / "x.png", 24), NarrowPixels) == flat
