"""Clusters of blobs with known members."""

import logging

import numpy as np
import pytest
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import StandardScaler

from byol_kedro.pair_model import clusters as module
from byol_kedro.pair_model.clusters import SILHOUETTE_SAMPLE, agreement, cluster_embeddings, nearest_to_centers
from byol_kedro.parameters import Clusters
from tests.support.probe_problems import blobs

METHODS = ["kmeans", "silhouette", "hdbscan"]


def settings(method="kmeans", count=4, min_size=5):
    return Clusters(method=method, count=count, min_size=min_size)


def found(seed=0, params=None, **kwargs):
    data = blobs(spread=0.05, **kwargs)
    return data, *cluster_embeddings(data.train_x, data.test_x, params or settings(), seed)


@pytest.mark.parametrize("method", METHODS)
def test_separated_blobs_are_found_in_train_and_test(method):
    data, train, test = found(params=settings(method))
    for cluster, label in ((train, data.train_y), (test, data.test_y)):
        assert agreement(cluster, label) == {
            "nmi": pytest.approx(1), "ari": pytest.approx(1), "purity": 1, "n": len(label),
        }  # fmt: skip


def test_silhouette_finds_the_number_of_blobs():
    _, train, _ = found(params=settings("silhouette", count=9), classes=3)
    assert len(set(train.tolist())) == 3


def test_silhouette_sample_may_contain_a_single_cluster():
    points = np.random.default_rng(0).normal(0, 0.01, (SILHOUETTE_SAMPLE + 500, 4)).astype(np.float32)
    points[0] = 100  # a cluster of its own, which the sample hardly ever contains
    train, _ = cluster_embeddings(points, points[:3], settings("silhouette", count=2), 0)
    assert np.bincount(train).min() == 1


def test_a_feature_with_a_large_scale_does_not_dominate():
    data = blobs(spread=0.05)
    noise = np.random.default_rng(0).normal(size=(500, 1)).astype(np.float32)
    train, test = (np.hstack([StandardScaler().fit_transform(x), 1e4 * noise[:len(x)]]).astype(np.float32)
                   for x in (data.train_x, data.test_x))  # fmt: skip
    assert agreement(cluster_embeddings(train, test, settings(), 0)[0], data.train_y)["nmi"] > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_clusters_of_train_do_not_depend_on_other_images(method):
    data, train, _ = found(params=settings(method))
    again, _ = cluster_embeddings(data.train_x, 100 + 50 * data.test_x, settings(method), 0)
    np.testing.assert_array_equal(train, again)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_equal_to_a_train_image_gets_its_cluster(method):
    data = blobs()
    train, test = cluster_embeddings(data.train_x, data.train_x[::-1].copy(), settings(method, count=7), 0)
    np.testing.assert_array_equal(train[::-1], test)


def test_the_same_seed_gives_the_same_clusters():
    np.testing.assert_array_equal(found(seed=1, decades=0)[2], found(seed=1, decades=0)[2])


@pytest.mark.parametrize("method", ["kmeans", "silhouette"])
@pytest.mark.parametrize(
    ("points", "count"),
    [(np.repeat(np.eye(2), 20, axis=0), 2), (np.ones((50, 3)), 1)],
    ids=["few", "all the same"],
)
def test_there_are_no_more_clusters_than_distinct_images(method, points, count, recwarn):
    points = points.astype(np.float32)
    train, _ = cluster_embeddings(points, points, settings(method, count=24), 0)
    assert len(set(train.tolist())) == count
    assert not recwarn.list


@pytest.mark.parametrize("method", ["kmeans", "silhouette"])
@pytest.mark.parametrize(("images", "most"), [(5, 1), (19, 1), (29, 2), (67, 6)])
def test_there_are_at_most_a_tenth_as_many_clusters_as_images(method, images, most, caplog):
    points = np.random.default_rng(0).normal(size=(images, 3)).astype(np.float32)
    with caplog.at_level(logging.INFO):
        train, others = cluster_embeddings(points, points, settings(method, count=24), 0)
    assert len(set(train.tolist())) <= most
    assert np.array_equal(train, others)
    limits = f"clusters: at most {most}, for {images} training images, instead of pair_model.clusters.count (24)"
    assert limits in caplog.messages


@pytest.mark.parametrize("method", METHODS)
def test_no_other_images(method):
    _, others = cluster_embeddings(blobs().train_x, np.zeros((0, 12), np.float32), settings(method), 0)
    assert (others.shape, others.dtype) == ((0,), np.int64)


def test_hdbscan_noise_is_minus_one():
    data = blobs(spread=0.01, decades=0)
    far = np.vstack([data.train_x, 9 * np.eye(12, dtype=np.float32)])
    train, _ = cluster_embeddings(far, data.test_x, settings("hdbscan", min_size=20), 0)
    assert (train[-12:] == -1).all()
    assert set(train[:-12].tolist()) == {0, 1, 2, 3}


def test_fewer_images_than_min_size_are_all_noise():
    train, _ = cluster_embeddings(
        np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32), settings("hdbscan", min_size=5), 0
    )
    assert train.tolist() == [-1] * 4


def test_too_many_images_for_hdbscan_are_all_noise_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(module, "HDBSCAN_LIMIT", 299)
    train, others = cluster_embeddings(
        np.zeros((300, 4), np.float32), np.zeros((7, 4), np.float32), settings("hdbscan"), 0
    )
    assert (train.tolist(), others.tolist()) == ([-1] * 300, [-1] * 7)
    assert "pair_model.clusters.method: hdbscan was skipped, found 300 training images" in caplog.text
    assert "at most 299 are supported; use kmeans" in caplog.text


def test_purity_matches_the_contingency_matrix():
    generator = np.random.default_rng(0)
    cluster, label = generator.integers(-1, 4, 200), generator.integers(0, 5, 200)
    expected = contingency_matrix(label, cluster).max(axis=0).sum() / 200
    assert agreement(cluster, label)["purity"] == pytest.approx(expected)


def test_images_without_a_label_are_ignored():
    label = np.array([0, 0, 1, 1, -1, -1])
    assert agreement(np.array([5, 5, 6, 6, 5, 6]), label) == {"nmi": 1, "ari": 1, "purity": 1, "n": 4}


def test_agreement_without_labels_is_none():
    nothing = {"nmi": None, "ari": None, "purity": None, "n": 0}
    assert agreement(np.array([0, 1]), np.array([-1, -1])) == nothing


def test_nearest_images_are_ordered_and_noise_is_skipped():
    train, clusters = np.array([[0.0], [0.2], [7]], np.float32), np.array([2, 2, 0])
    vectors = np.array([[0.0], [1], [0.3], [9], [5], [6]], np.float32)
    nearest = nearest_to_centers(train, clusters, vectors, np.array([2, 2, 2, -1, 0, 0]), 2)
    assert {number: rows.tolist() for number, rows in nearest.items()} == {0: [5, 4], 2: [0, 2]}


def test_center_and_scale_are_those_of_train():
    """Standardized on the other images, the second feature would dominate, and the third image would be nearest."""
    train = np.array([[-1.0, -10], [1, 10]], np.float32)
    others = np.array([[0.0, 4], [0.5, 0], [100, 0.1]], np.float32)
    nearest = nearest_to_centers(train, np.zeros(2, int), others, np.zeros(3, int), 3)
    assert nearest[0].tolist() == [0, 1, 2]
