"""The logistic regression against scikit-learn on standardized features."""

import importlib
import logging
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from byol_kedro import settings
from byol_kedro.evaluation.probes import logistic as module
from byol_kedro.evaluation.probes.base import Logistic
from tests.support.probe_problems import blobs, fit_predict


def fit(data, n_classes=4, cs=(0.1,), validation=0.2, seed=0):
    params = Logistic(cs=list(cs), validation=validation)
    return fit_predict("logistic", data, params, n_classes, seed)


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_probabilities_agree_with_scikit_learn(classes):
    data = blobs(classes=classes, spread=2.0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-8, max_iter=5000))
    theirs = model.fit(data.train_x.astype(float), data.train_y).predict_proba(data.test_x)
    ours = fit(data, classes, validation=0.5).probabilities
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_small_c_is_chosen_for_noisy_features():
    data = blobs(n_train=400, dim=150, classes=2, spread=8.0)  # the large C fits its own rows without an error
    assert fit(data, 2, cs=(1e-4, 1e3), validation=0.5).chosen == {"C": 1e-4}


def test_large_c_is_chosen_for_a_rare_class():
    data = blobs(n_train=300, classes=2, spread=0.3)
    data.train_x[:270], data.train_y[:270] = data.train_x[data.train_y == 0][0], 0
    assert fit(data, 2, cs=(1e-6, 1.0)).chosen == {"C": 1.0}


def test_smallest_of_equal_cs_is_chosen():
    assert fit(blobs(spread=0.01), cs=(10.0, 0.1, 1.0)).chosen == {"C": 0.1}


def test_class_without_training_images_has_probability_0():
    data = blobs(classes=3)
    assert fit(data, n_classes=5).probabilities[:, 3:].max() == 0


def test_missing_convergence_is_logged_without_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(module, "MAX_ITER", 2)
    with warnings.catch_warnings(), caplog.at_level(logging.INFO):
        warnings.simplefilter("error")
        importlib.reload(settings)  # as the project does when it starts
        module.fit_logistic(blobs().train_x, blobs().train_y, 1.0)
    assert [r.getMessage() for r in caplog.records] == [
        "logistic regression with C = 1: not converged after 2 iterations, used as it is"
    ]


def test_arrays_give_the_probabilities():
    data = blobs()
    result = fit(data)
    w = {name: array.astype(float) for name, array in result.arrays.items()}
    powers = np.exp((data.test_x - w["mean"]) / w["scale"] @ w["weight"].T + w["bias"])
    np.testing.assert_allclose(result.probabilities, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def test_the_same_seed_gives_the_same_bits():
    first, again = (fit(blobs(spread=2.0), cs=(0.01, 1.0), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.arrays["weight"], again.arrays["weight"])


def test_many_classes_of_one_image_are_no_regression():
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(settings)
        assert (module.fit_logistic(x, np.arange(40), 100.0).predict(x) == np.arange(40)).all()


@pytest.mark.parametrize("c", [1e-300, 9e-10])
def test_strength_without_effect_in_float32_is_refused(c):
    with pytest.raises(ValueError, match=r"greater than or equal to 0.000000001"):
        Logistic(cs=[1.0, c], validation=0.2)


@pytest.mark.parametrize("c", [1e-9, 1e300])
def test_extreme_strengths_are_fitted_silently(c):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(fit(blobs(), cs=[c]).probabilities).all()
