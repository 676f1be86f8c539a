"""Principal components against NumPy's exact_pca decomposition."""

import logging

import numpy as np
import pytest

from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.evaluation.pca import ROWS, fit_pca, project
from byol_kedro.evaluation.scaler import Scaler


def images(n=60, size=6, seed=0):
    """Smooth images, whose variance is nearly all in a few directions."""
    generator = np.random.default_rng(seed)
    basis = generator.normal(size=(4, 3 * size * size)) * np.array([[40], [20], [10], [5]])
    pixels = 128 + generator.normal(size=(n, 4)) @ basis + generator.normal(size=(n, 3 * size * size))
    return pixels.clip(0, 255).astype(np.uint8).reshape(n, 3, size, size)


def exact_pca(pixels, k):
    """Mean, first k components and variances by a full SVD in float64."""
    flat = pixels.reshape(len(pixels), -1) / 255
    _, s, vt = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return flat.mean(axis=0), vt[:k], s[:k] ** 2 / (len(pixels) - 1)


def test_mean_is_that_of_scaled_pixels():
    mean, _, _ = exact_pca(images(), 4)
    np.testing.assert_allclose(fit_pca(images(), 4, 0)["mean"], mean, atol=1e-6)


def test_variances_agree_with_the_exact_decomposition():
    _, _, variances = exact_pca(images(), 4)
    np.testing.assert_allclose(fit_pca(images(), 4, 0)["explained_variance"], variances, rtol=1e-3)


def test_components_agree_with_the_exact_decomposition():
    _, components, _ = exact_pca(images(), 4)
    cosines = np.sum(fit_pca(images(), 4, 0)["components"] * components, axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-3)


def test_projection_is_centered_on_the_training_mean():
    train, test = images(seed=0), images(seed=1) // 2
    weights = fit_pca(train, 4, 0)
    expected = (test.reshape(60, -1) / 255 - weights["mean"]) @ weights["components"].T
    np.testing.assert_allclose(project(test, weights), expected, atol=1e-4)


def test_projection_covers_all_blocks():
    weights = fit_pca(images(), 4, 0)
    many = np.tile(images(), (ROWS // 60 + 2, 1, 1, 1))
    np.testing.assert_allclose(project(many, weights)[-60:], project(images(), weights), atol=1e-5)


@pytest.mark.parametrize("copies", [1, 3])
def test_components_without_variance_are_dropped_and_logged(caplog, copies):
    with caplog.at_level(logging.INFO):
        weights = fit_pca(np.repeat(images(n=5), copies, axis=0), 256, 0)
    assert len(weights["components"]) == 4
    words = f"PCA: 4 components of {5 * copies} images, fewer than pca_components (256)"
    assert [r.getMessage() for r in caplog.records] == [words]


@pytest.mark.parametrize("copies", [1, 2])
def test_standardized_projections_of_test_images_are_bounded(copies):
    known, test = np.split(images(), 2)
    train = np.repeat(known, copies, axis=0)
    weights = fit_pca(train, 256, 0)
    assert np.abs(Scaler.fit(project(train, weights))(project(test, weights))).max() < 100


def test_equal_images_have_one_zero_feature():
    same = np.repeat(images(n=1), 3, axis=0)
    np.testing.assert_allclose(project(same, fit_pca(same, 256, 0)), np.zeros((3, 1)), atol=1e-4)


@pytest.mark.parametrize(("changed", "warnings"), [(False, 1), (True, 0)], ids=["equal", "one differs by one step"])
def test_a_warning_says_that_all_images_are_the_same(changed, warnings, caplog):
    same = np.repeat(images(n=1), 20, axis=0)
    same[-1, 0, 0, 0] += changed
    with caplog.at_level(logging.WARNING):
        fit_pca(same, 4, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warnings


def test_features_that_are_not_finite_are_named():
    weights = fit_pca(images(), 4, 0)
    weights["mean"][0] = np.nan
    with pytest.raises(NotFiniteError, match=r"^features of the pixels, PCA: 60 of 60 rows .*; run the pipeline base"):
        project(images(), weights)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_images_have_no_components(n):
    assert project(images(), fit_pca(images()[:n], 4, 0)).shape == (60, 0)


def test_the_same_seed_gives_the_same_bits():
    first, again = fit_pca(images(), 4, 7), fit_pca(images(), 4, 7)
    np.testing.assert_array_equal(first["components"], again["components"])


def test_memory_map_is_not_modified(tmp_path):
    np.save(tmp_path / "pixels.npy", images())
    project(np.load(tmp_path / "pixels.npy", mmap_mode="r"), fit_pca(np.load(tmp_path / "pixels.npy", "r"), 4, 0))
    np.testing.assert_array_equal(np.load(tmp_path / "pixels.npy"), images())
