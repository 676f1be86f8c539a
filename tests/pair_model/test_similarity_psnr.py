"""PSNR, compared with scikit-image."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from byol_kedro.pair_model import similarity
from byol_kedro.pair_model.pairs import ConcatArray
from byol_kedro.pair_model.similarity import pair_psnr


def images(count=7, side=5):
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def rows(*numbers):
    return np.array(numbers, dtype=np.int64)


@pytest.mark.parametrize("chunk_bytes", [1, 160, 1 << 20], ids=["a pair a chunk", "two pairs a chunk", "one chunk"])
def test_psnr_matches_scikit_image(monkeypatch, chunk_bytes):
    monkeypatch.setattr(similarity, "CHUNK_BYTES", chunk_bytes)
    pixels = images()
    left, right = rows(0, 3, 6, 2, 1), rows(1, 5, 0, 6, 2)
    theirs = [peak_signal_noise_ratio(pixels[i], pixels[j]) for i, j in zip(left, right, strict=True)]
    np.testing.assert_allclose(pair_psnr(ConcatArray([pixels]), left, right), theirs, rtol=1e-12)


def test_psnr_of_images_one_gray_level_apart():
    pixels = np.stack([np.full((3, 4, 4), 200, np.uint8), np.full((3, 4, 4), 201, np.uint8)])
    np.testing.assert_allclose(pair_psnr(ConcatArray([pixels]), rows(0, 1), rows(1, 0)), 48.1308036, rtol=1e-8)


def test_psnr_of_equal_images_is_clipped():
    pixels = np.repeat(images(1), 2, axis=0)
    assert pair_psnr(ConcatArray([pixels]), rows(0), rows(1)) == [100]


def test_psnr_of_black_and_white_is_clipped():
    pixels = np.stack([np.zeros((3, 4, 4), np.uint8), np.full((3, 4, 4), 255, np.uint8)])
    assert pair_psnr(ConcatArray([pixels]), rows(0), rows(1)) == [1]


def test_no_pairs_give_no_psnr():
    assert pair_psnr(ConcatArray([images()]), rows(), rows()).shape == (0,)
