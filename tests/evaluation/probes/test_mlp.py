"""The MLP against scikit-learn, and on a problem that no linear classifier solves."""

import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byol_kedro.evaluation.metrics import top1
from byol_kedro.evaluation.probes.base import LinearAdam, Logistic, Mlp
from tests.support.probe_problems import blobs, fit_predict, xor

DEFAULTS = {
    "hidden_dim": 32,
    "lr": 0.01,
    "weight_decay": 1e-4,
    "batch_size": 64,
    "epochs": 60,
    "patience": 10,
    "validation": 0.2,
}


def fit(data, n_classes=4, seed=0, **changes):
    return fit_predict("mlp", data, Mlp(**DEFAULTS | changes), n_classes, seed)


def test_xor_is_learned():
    data = xor()
    assert top1(fit(data, 2, patience=30).probabilities, data.test_y) > 0.93


@pytest.mark.parametrize(
    ("probe", "params"),
    [
        ("logistic", Logistic(cs=[0.1, 1.0], validation=0.2)),
        ("linear_adam", LinearAdam(lr=0.003, batch_size=64, epochs=20, seeds=1)),
    ],
)
def test_xor_is_not_learned_by_a_linear_classifier(probe, params):
    data = xor()
    assert top1(fit_predict(probe, data, params, 2).probabilities, data.test_y) < 0.65


def test_top1_agrees_with_scikit_learn():
    data = blobs(n_train=1500, n_test=2000, spread=1.5)
    model = MLPClassifier((32,), learning_rate_init=0.01, early_stopping=True, random_state=0)
    theirs = make_pipeline(StandardScaler(), model).fit(data.train_x, data.train_y)
    expected = theirs.score(data.test_x, data.test_y)
    assert top1(fit(data).probabilities, data.test_y) == pytest.approx(expected, abs=0.03)


def test_weights_are_those_of_the_best_epoch():
    data = blobs(spread=2.0)
    best = fit(data)
    stopped_there = fit(data, epochs=int(best.chosen["epoch"]))
    assert best.chosen["epoch"] < 60
    np.testing.assert_array_equal(best.arrays["hidden.weight"], stopped_there.arrays["hidden.weight"])


def test_training_stops_after_patience(monkeypatch):
    steps = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: steps.append(1) or step(self))
    best = fit(blobs(spread=2.0), patience=4).chosen["epoch"]
    batches = 4  # 240 of 300 rows, 64 a batch
    assert len(steps) == (best + 4) * batches


def test_biases_are_not_decayed():
    weights = fit(blobs(), lr=1e-3, weight_decay=1e3, epochs=1).arrays  # lr x decay = 1 takes all of a matrix
    assert np.abs(weights["hidden.weight"]).max() < 0.01
    assert np.abs(weights["hidden.bias"]).max() > 0.1


def test_arrays_give_the_probabilities():
    data = blobs()
    result = fit(data)
    w = {name: array.astype(float) for name, array in result.arrays.items()}
    hidden = np.maximum((data.test_x - w["mean"]) / w["scale"] @ w["hidden.weight"].T + w["hidden.bias"], 0)
    powers = np.exp(hidden @ w["output.weight"].T + w["output.bias"])
    np.testing.assert_allclose(result.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    first, again = fit(blobs(), seed=3), fit(blobs(), seed=3)
    np.testing.assert_array_equal(first.arrays["output.weight"], again.arrays["output.weight"])


def test_global_generator_is_not_used():
    before = torch.get_rng_state()
    fit(blobs(), epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
