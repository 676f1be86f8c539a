"""SSIM, compared with scikit-image."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from byol_kedro.errors import UserError
from byol_kedro.pair_model import similarity as module
from byol_kedro.pair_model.pairs import ConcatArray
from byol_kedro.pair_model.similarity import pair_ssim


def images(height=20, width=12):
    """Images of noise, a single color, and steps, so that means and variances differ."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (4, 3, height, width))
    flat = np.broadcast_to(generator.integers(0, 256, (3, 3, 1, 1)), (3, 3, height, width))
    steps = np.arange(width) // 3 * generator.integers(1, 60, (4, 3, height, 1))
    return np.concatenate([noise, flat, steps.clip(0, 255)]).astype(np.uint8)


LEFT, RIGHT = (np.array(rows) for rows in zip(*[(i, j) for i in range(11) for j in range(i)], strict=True))


@pytest.mark.parametrize("size", [(20, 12), (7, 7), (7, 40)])
def test_ssim_matches_scikit_image(size):
    pixels = images(*size)
    theirs = [structural_similarity(pixels[i], pixels[j], channel_axis=0) for i, j in zip(LEFT, RIGHT, strict=True)]
    np.testing.assert_allclose(pair_ssim(ConcatArray([pixels[:5], pixels[5:]]), LEFT, RIGHT), theirs, atol=1e-6)


def test_sums_of_the_largest_images_do_not_overflow():
    pixels = np.full((2, 1, 1024, 1024), 255, np.uint8)
    assert pair_ssim(ConcatArray([pixels]), np.array([0]), np.array([1])) == [1]


def test_chunks_do_not_change_the_result(monkeypatch):
    stack = ConcatArray([images()])
    whole = pair_ssim(stack, LEFT, RIGHT)
    monkeypatch.setattr(module, "PIXELS", 1)
    np.testing.assert_array_equal(pair_ssim(stack, LEFT, RIGHT), whole)


def test_ssim_of_an_image_with_itself_is_one():
    rows = np.arange(11)
    np.testing.assert_allclose(pair_ssim(ConcatArray([images()]), rows, rows), 1)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(UserError, match=r"at least 7×7 pixels, found 12×6"):
        pair_ssim(ConcatArray([images(6, 12)]), LEFT, RIGHT)


def test_no_pairs_give_no_ssim():
    none = np.zeros(0, np.int64)
    assert pair_ssim(ConcatArray([images()]), none, none).shape == (0,)
