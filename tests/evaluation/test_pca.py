"""Principal components against numpy's exact decomposition."""

import logging

import numpy as np
import pytest

from byol_kedro.evaluation.pca import ROWS, fit_pca, project
from byol_kedro.evaluation.scaler import Scaler


def images(n=60, size=6, seed=0):
    """Smooth images: a few directions carry nearly all of the variance."""
    generator = np.random.default_rng(seed)
    basis = generator.normal(size=(4, 3 * size * size)) * np.array([[40], [20], [10], [5]])
    pixels = 128 + generator.normal(size=(n, 4)) @ basis + generator.normal(size=(n, 3 * size * size))
    return pixels.clip(0, 255).astype(np.uint8).reshape(n, 3, size, size)


def exact(pixels, k):
    """Mean, first k components and variances by a full SVD in float64."""
    flat = pixels.reshape(len(pixels), -1) / 255
    _, s, vt = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return flat.mean(axis=0), vt[:k], s[:k] ** 2 / (len(pixels) - 1)


def test_the_mean_is_that_of_the_pixels_in_0_to_1():
    mean, _, _ = exact(images(), 4)
    np.testing.assert_allclose(fit_pca(images(), 4, 0)["mean"], mean, atol=1e-6)


def test_the_variances_are_those_of_the_exact_decomposition():
    _, _, variances = exact(images(), 4)
    np.testing.assert_allclose(fit_pca(images(), 4, 0)["explained_variance"], variances, rtol=1e-3)


def test_the_components_are_those_of_the_exact_decomposition_up_to_sign():
    _, components, _ = exact(images(), 4)
    cosines = np.sum(fit_pca(images(), 4, 0)["components"] * components, axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-3)


def test_test_images_are_centered_on_the_training_mean():
    train, test = images(seed=0), images(seed=1) // 2
    weights = fit_pca(train, 4, 0)
    expected = (test.reshape(60, -1) / 255 - weights["mean"]) @ weights["components"].T
    np.testing.assert_allclose(project(test, weights), expected, atol=1e-4)


def test_images_beyond_a_block_are_projected_too():
    weights = fit_pca(images(), 4, 0)
    many = np.tile(images(), (ROWS // 60 + 2, 1, 1, 1))
    np.testing.assert_allclose(project(many, weights)[-60:], project(images(), weights), atol=1e-5)


@pytest.mark.parametrize("copies", [1, 3])
def test_there_are_no_more_components_than_directions_and_one_line_says_so(caplog, copies):
    with caplog.at_level(logging.INFO):
        weights = fit_pca(np.repeat(images(n=5), copies, axis=0), 256, 0)
    assert len(weights["components"]) == 4
    words = f"PCA: 4 components of {5 * copies} images, fewer than pca_components (256)"
    assert [r.getMessage() for r in caplog.records] == [words]


@pytest.mark.parametrize("copies", [1, 2])
def test_standardized_on_train_no_component_runs_away_on_test(copies):
    known, test = np.split(images(), 2)
    train = np.repeat(known, copies, axis=0)
    weights = fit_pca(train, 256, 0)
    assert np.abs(Scaler.fit(project(train, weights))(project(test, weights))).max() < 100


def test_images_that_are_all_the_same_have_a_feature_that_is_0():
    same = np.repeat(images(n=1), 3, axis=0)
    np.testing.assert_allclose(project(same, fit_pca(same, 256, 0)), np.zeros((3, 1)), atol=1e-4)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_components(n):
    assert project(images(), fit_pca(images()[:n], 4, 0)).shape == (60, 0)


def test_the_same_seed_gives_the_same_bits():
    first, again = fit_pca(images(), 4, 7), fit_pca(images(), 4, 7)
    np.testing.assert_array_equal(first["components"], again["components"])


def test_a_read_only_memory_map_is_left_as_it_was(tmp_path):
    np.save(tmp_path / "pixels.npy", images())
    project(np.load(tmp_path / "pixels.npy", mmap_mode="r"), fit_pca(np.load(tmp_path / "pixels.npy", "r"), 4, 0))
    np.testing.assert_array_equal(np.load(tmp_path / "pixels.npy"), images())
