"""The weighted kNN against a plain NumPy vote."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from byol_kedro.evaluation.probes.base import KnnWeighted
from tests.support.probe_problems import blobs, fit_predict


def fit(data, k=20, temperature=0.07, classes=4):
    params = KnnWeighted(neighbors=k, temperature=temperature)
    return fit_predict("knn_weighted", data, params, classes)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(0.05, 2.0))
def test_probabilities_agree_with_a_numpy_vote(seed, k, temperature):
    data = blobs(60, 10, 6, 3, spread=3.0, seed=seed, decades=0)
    train, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (data.train_x.astype(float), data.test_x))
    similarity = test @ train.T
    votes = np.zeros((10, 3))
    for row, values in enumerate(similarity):
        for j in np.argsort(-values)[:k]:
            votes[row, data.train_y[j]] += np.exp(values[j] / temperature)
    expected = votes / votes.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit(data, k, temperature, 3).probabilities, expected, atol=2e-4)


def test_predictions_agree_with_scikit_learn():
    data = blobs(spread=2.0, decades=0)
    model = KNeighborsClassifier(50, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07))
    theirs = model.fit(data.train_x.astype(float), data.train_y).predict(data.test_x)
    assert np.mean(fit(data, 50).probabilities.argmax(axis=1) == theirs) > 0.99


def test_near_neighbor_outvotes_two_far_ones():
    data = blobs(3, 1, 2, 2)
    data.train_x[:] = [[1, 0], [-1, 0.1], [-1, -0.1]]
    data.train_y[:] = [0, 1, 1]
    data.test_x[:] = [[1, 0]]
    assert fit(data, 2).probabilities.argmax() == 0


def test_chosen_has_the_number_of_neighbors():
    assert fit(blobs(n_train=300), 200).chosen == {"neighbors": 200}


def test_at_most_all_rows_but_one_vote():
    assert fit(blobs(n_train=50), 200).chosen == {"neighbors": 49}


def test_small_temperature_does_not_overflow():
    probabilities = fit(blobs(), 20, 1e-3).probabilities
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
