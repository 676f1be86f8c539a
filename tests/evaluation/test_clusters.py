"""Clusters on blobs whose members are known."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from byol_kedro.evaluation.clusters import agreement, clusters
from tests.evaluation.problems import blobs


def found(count=4, seed=0, **kwargs):
    data = blobs(spread=0.05, **kwargs)
    return data, *clusters(data.train_x, data.test_x, count, seed)


def test_blobs_that_lie_apart_are_found_in_train_and_test():
    data, train, test = found()
    for cluster, label in ((train, data.train_y), (test, data.test_y)):
        assert agreement(cluster, label) == {"nmi": pytest.approx(1), "ari": pytest.approx(1), "n": len(label)}


def test_a_feature_in_large_units_does_not_decide_alone():
    data = blobs(spread=0.05)
    noise = np.random.default_rng(0).normal(size=(500, 1)).astype(np.float32)
    train, test = (np.hstack([StandardScaler().fit_transform(x), 1e4 * noise[:len(x)]]).astype(np.float32)
                   for x in (data.train_x, data.test_x))  # fmt: skip
    assert agreement(clusters(train, test, 4, 0)[0], data.train_y)["nmi"] > 0.9


def test_test_pictures_do_not_move_the_clusters_of_train():
    data, train, _ = found()
    again, _ = clusters(data.train_x, 100 + 50 * data.test_x, 4, 0)
    np.testing.assert_array_equal(train, again)


def test_a_test_picture_is_where_the_same_training_picture_is():
    data = blobs()
    train, test = clusters(data.train_x, data.train_x[::-1].copy(), 7, 0)
    np.testing.assert_array_equal(train[::-1], test)


def test_the_same_seed_gives_the_same_clusters():
    np.testing.assert_array_equal(found(seed=1, decades=0)[2], found(seed=1, decades=0)[2])


@pytest.mark.parametrize(("points", "count"), [(np.eye(3), 3), (np.ones((5, 3)), 1)], ids=["few", "all the same"])
def test_there_are_no_more_clusters_than_different_pictures(points, count, recwarn):
    train, _ = clusters(points.astype(np.float32), points.astype(np.float32), 24, 0)
    assert len(set(train.tolist())) == count
    assert not recwarn.list


def test_pictures_without_a_label_are_not_compared():
    label = np.array([0, 0, 1, 1, -1, -1])
    assert agreement(np.array([5, 5, 6, 6, 5, 6]), label) == {"nmi": 1, "ari": 1, "n": 4}


def test_without_labels_there_is_nothing_to_compare():
    assert agreement(np.array([0, 1]), np.array([-1, -1])) == {"nmi": None, "ari": None, "n": 0}
