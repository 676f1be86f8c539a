"""The map of features: neighbors by cosine similarity, clusters, and few or equal features."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from byol_kedro.evaluation.feature_map import map_features
from byol_kedro.evaluation.search import nearest_others


def features(n=60, dim=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def test_neighbors_are_those_of_scikit_learn_by_cosine():
    x = features() * np.random.default_rng(1).uniform(0.1, 9, (60, 1)).astype(np.float32)
    found = map_features(x, "tsne", 3, 5, 0).neighbors
    expected = NearestNeighbors(n_neighbors=6, metric="cosine").fit(x).kneighbors(x, return_distance=False)
    np.testing.assert_array_equal(found, expected[:, 1:])


def test_neighbors_across_blocks():
    x = features(2100, 4)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    _, found = nearest_others(x, 3)
    products = x[1500] @ x.T
    products[1500] = -np.inf
    assert found[1500].tolist() == np.argsort(-products)[:3].tolist()


def test_no_image_is_its_own_neighbor_even_if_all_are_equal():
    found = map_features(np.ones((30, 4), np.float32), "tsne", 3, 5, 0).neighbors
    assert not (found == np.arange(30)[:, None]).any()


def test_clusters_are_at_most_a_tenth_of_the_images():
    assert len(np.unique(map_features(features(40), "tsne", 20, 5, 0).cluster)) == 4


def test_clusters_find_separate_groups():
    group = np.repeat(np.arange(3), 20)
    x = (np.eye(3, 8)[group] + 0.01 * features()).astype(np.float32)
    cluster = map_features(x, "tsne", 3, 5, 0).cluster
    assert all(len(set(cluster[group == number])) == 1 for number in range(3))
    assert len(set(cluster)) == 3


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_images(n):
    found = map_features(features(n), "tsne", 20, 12, 0)
    assert found.points.shape == (n, 2)
    assert found.neighbors.shape == (n, n - 1)
    assert np.isfinite(found.points).all()


@pytest.mark.parametrize("value", [0, 1])
def test_equal_features(value):
    assert np.isfinite(map_features(np.full((30, 4), value, np.float32), "tsne", 3, 5, 0).points).all()


def test_same_seed_same_map():
    first, second = (map_features(features(), "tsne", 3, 5, 7) for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.cluster, second.cluster)
