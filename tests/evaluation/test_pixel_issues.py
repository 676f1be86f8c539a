"""Measures of single images."""

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage import data

from byol_kedro.evaluation.pixel_issues import DARK, EMPTY, modified_z, pixel_measures


def test_empty_dark_and_blurred_images():
    image = np.ascontiguousarray(data.astronaut()[:96, 150:246].transpose(2, 0, 1))
    blurred = np.stack([gaussian_filter(channel, 3) for channel in image])
    images = np.stack([image, np.full_like(image, 200), image // 16, blurred])
    measures = pixel_measures(images)
    assert (measures["contrast"] < EMPTY).tolist()[:2] == [False, True]
    assert (measures["bright"] < DARK).tolist() == [False, False, True, False]
    # A blur lowers the sharpness by far more than a change of the brightness.
    sharp, dimmed, soft = measures["sharp"][[0, 2, 3]]
    assert soft < sharp - 2
    assert abs(dimmed - sharp) < 1
    gray = np.tensordot([0.299, 0.587, 0.114], image.astype(float), axes=1)
    np.testing.assert_allclose(measures["contrast"][0], gray.std(), rtol=1e-5)


def test_modified_z_is_the_z_score_of_normal_values():
    values = np.random.default_rng(0).normal(5, 3, 100_000)
    np.testing.assert_allclose(modified_z(values), (values - 5) / 3, atol=0.05)
    assert modified_z(np.array([1.0, 1, 1, 9])).tolist() == [0, 0, 0, 0]
    assert len(modified_z(np.zeros(0))) == 0
