"""kNN against scikit-learn and against a plain NumPy vote."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from byol_kedro.evaluation.probes import knn as module
from byol_kedro.evaluation.probes.base import Knn
from byol_kedro.evaluation.probes.knn import knn_probabilities
from tests.support.probe_problems import blobs, fit_predict


def expected_votes(train_x, train_y, test_x, k, n_classes):
    """Votes and summed similarities (M, n_classes) in float64, and whether float32 resolves them (M,)."""
    train, test = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train_x.astype(float), test_x))
    votes, sums = np.zeros((2, len(test), n_classes))
    clear = np.ones(len(test), bool)
    for i, x in enumerate(test):
        similarity = train @ x
        order = np.argsort(-similarity)
        for j in order[:k]:
            votes[i, train_y[j]] += 1
            sums[i, train_y[j]] += similarity[j]
        first, *others = sorted(sums[i, votes[i] == votes[i].max()], reverse=True)
        gaps = (similarity[order[k - 1]] - similarity[order[k]], first - max(others, default=-np.inf))
        clear[i] = min(gaps) > 1e-5
    return votes, sums, clear


def predict(train_x, train_y, test_x, k, n_classes):
    tensors = (torch.tensor(train_x), torch.tensor(train_y), torch.tensor(test_x))
    return knn_probabilities(*tensors, k, n_classes).argmax(dim=1).numpy()


def test_predictions_agree_with_scikit_learn_without_ties():
    data = blobs(spread=2.0, decades=0)
    theirs = KNeighborsClassifier(5, metric="cosine").fit(data.train_x, data.train_y).predict_proba(data.test_x)
    clear = np.sum(theirs == theirs.max(axis=1, keepdims=True), axis=1) == 1
    ours = fit_predict("knn", data, Knn(neighbors=5)).probabilities
    assert clear.sum() > 100
    np.testing.assert_array_equal(ours.argmax(axis=1)[clear], theirs.argmax(axis=1)[clear])


def test_probabilities_are_fractions_of_votes():
    data = blobs(spread=2.0, decades=0)
    votes, _, _ = expected_votes(data.train_x, data.train_y, data.test_x, 5, 4)
    ours = fit_predict("knn", data, Knn(neighbors=5)).probabilities
    np.testing.assert_allclose(ours, votes / 5, atol=1 / 6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 9), classes=st.integers(2, 5))
def test_predictions_agree_with_a_numpy_vote(seed, k, classes):
    data = blobs(40, 15, 6, classes, spread=3.0, seed=seed, decades=0)
    arguments = (data.train_x, data.train_y, data.test_x, k, classes)
    votes, sums, clear = expected_votes(*arguments)
    expected = np.lexsort((sums, votes), axis=1)[:, -1]
    np.testing.assert_array_equal(predict(*arguments)[clear], expected[clear])


def test_majority_of_far_neighbors_wins():
    train = np.array([[1, 0], [-1, 0.1], [-1, -0.1]], np.float32)
    assert predict(train, np.array([0, 1, 1]), np.array([[1, 0]], np.float32), 3, 2) == [1]


def test_the_votes_of_a_known_case():
    # Similarities 1 and 0 with k = 2 have the votes 1 + 2 / 6 and 1 + 1 / 6.
    train = np.array([[1, 0], [0, 1]], np.float32)
    found = knn_probabilities(torch.tensor(train), torch.tensor([0, 1]), torch.tensor(train[:1]), 2, 3)
    np.testing.assert_allclose(found, [[8 / 15, 7 / 15, 0]], rtol=1e-6)


def test_tied_vote_goes_to_the_nearer_class():
    train = np.array([[0, 1], [1, 0.1]], np.float32)
    assert predict(train, np.array([0, 1]), np.array([[1, 0]], np.float32), 2, 2) == [1]


@pytest.mark.parametrize(("test_rows", "train_rows"), [(7, 13), (1, 3), (50, 300), (64, 299)])
def test_block_size_does_not_change_the_result(monkeypatch, test_rows, train_rows):
    data = blobs(300, 50, spread=2.0, decades=0)
    whole = fit_predict("knn", data, Knn(neighbors=5)).probabilities
    monkeypatch.setattr(module, "TEST_ROWS", test_rows)
    monkeypatch.setattr(module, "TRAIN_ROWS", train_rows)
    blocks = fit_predict("knn", data, Knn(neighbors=5)).probabilities
    np.testing.assert_allclose(blocks, whole, rtol=1e-5)


def test_blocks_of_similarities_are_bounded(monkeypatch):
    sizes = []
    topk = torch.Tensor.topk
    monkeypatch.setattr(torch.Tensor, "topk", lambda x, *a, **k: sizes.append(x.numel()) or topk(x, *a, **k))
    monkeypatch.setattr(module, "TEST_ROWS", 8)
    monkeypatch.setattr(module, "TRAIN_ROWS", 16)
    data = blobs(300, 50)
    fit_predict("knn", data, Knn(neighbors=5))
    assert max(sizes) == 8 * 16


def test_feature_length_does_not_matter():
    data = blobs(spread=2.0, decades=0)
    lengths = np.random.default_rng(1).uniform(0.1, 10, (len(data.train_x), 1)).astype(np.float32)
    plain = predict(data.train_x, data.train_y, data.test_x, 5, 4)
    np.testing.assert_array_equal(predict(lengths * data.train_x, data.train_y, data.test_x, 5, 4), plain)


def test_all_rows_vote_if_fewer_than_neighbors():
    train = np.array([[1, 0], [0, 1], [0.1, 1]], np.float32)
    assert predict(train, np.array([0, 1, 1]), np.array([[1, 0]], np.float32), 50, 3) == [1]


def test_probabilities_sum_to_one():
    data = blobs()
    probabilities = fit_predict("knn", data, Knn(neighbors=7), 6).probabilities
    assert probabilities.shape == (200, 6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
