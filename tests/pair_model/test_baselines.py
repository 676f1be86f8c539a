"""Baselines of the pair model, compared with scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import QuantileRegressor, Ridge
from sklearn.preprocessing import StandardScaler

from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.pair_model.baselines import (
    MODELS,
    RIDGE_STRENGTHS,
    empty_predictions,
    fit_lad_line,
    fit_ridges,
    predict_pairs,
    select_ridge,
)
from byol_kedro.pair_model.training import fit_pair_model
from tests.support.pair_problems import SETTINGS, changed, empty_pair_set, linear_pairs, pool_of, scaler_of

TRAIN, HELD, TEST = (linear_pairs(noise_seed=seed) for seed in (0, 1, 2))
IMAGES = linear_pairs(noise_seed=3)  # the train images; the pairs refer to others
ONE_EPOCH = changed(SETTINGS, epochs=1)


def predicted(settings, train=TRAIN, validation=HELD, test=TEST):
    """Predictions for test pairs by a model fitted to train pairs."""
    model, _ = fit_pair_model(train, validation, scaler_of(IMAGES), settings, 0)
    return predict_pairs(model, pool_of(IMAGES), train, validation, test)


@pytest.fixture(scope="module")
def predictions():
    return predicted(SETTINGS)


def errors(table):
    return {model: (table[model] - table["target"]).abs().mean() for model in MODELS}


def standardized(pairs):
    return StandardScaler().fit(IMAGES.features).transform(pairs.features)


def differences(pairs):
    x = standardized(pairs)
    return np.abs(x[pairs.left] - x[pairs.right])


def test_columns_of_the_predictions(predictions):
    assert list(predictions) == ["target", "pair model", "difference", *MODELS[1:]]
    np.testing.assert_array_equal(predictions["target"], TEST.target)
    np.testing.assert_allclose(predictions["difference"], np.abs(predictions["pair model"] - TEST.target))


def test_empty_predictions_have_the_same_columns(predictions):
    pd.testing.assert_frame_equal(empty_predictions(), predictions[:0])


def test_the_pair_model_beats_the_baselines_on_a_learnable_target(predictions):
    model, *others = errors(predictions).values()
    assert model < 0.6 * min(others)


def test_mean_baseline_is_the_mean_of_the_train_targets(predictions):
    np.testing.assert_allclose(predictions["mean of train"], TRAIN.target.mean())


@pytest.mark.parametrize(
    ("model", "reduce"),
    [("distance of features", None), ("distance of PCA 16", PCA(5))],
    ids=["features", "PCA"],
)
def test_distance_baselines_match_quantile_regression(model, reduce, monkeypatch):
    monkeypatch.setattr("byol_kedro.pair_model.baselines.COMPONENTS", 5)
    train, test = standardized(TRAIN), standardized(TEST)
    if reduce:
        reduce.fit(standardized(IMAGES))
        train, test = reduce.transform(train), reduce.transform(test)
    distance, new = (
        np.linalg.norm(x[pairs.left] - x[pairs.right], axis=1)[:, None] for x, pairs in ((train, TRAIN), (test, TEST))
    )
    line = QuantileRegressor(quantile=0.5, alpha=0).fit(distance, TRAIN.target)
    np.testing.assert_allclose(predicted(ONE_EPOCH)[model], line.predict(new), rtol=2e-3)


def test_lad_line_has_no_negative_slope():
    slope, intercept = fit_lad_line(np.arange(9.0), -np.arange(9.0))
    assert (slope, intercept) == pytest.approx((0, -4), abs=1e-3)


def test_lad_line_of_equal_distances_is_the_median():
    assert fit_lad_line(np.full(5, 3.0), np.array([1.0, 2.0, 4.0, 9.0, 50.0])) == (0.0, 4.0)


def test_ridge_matches_scikit_learn():
    x, scale = differences(TRAIN), IMAGES.features.std(axis=0)
    unit = np.linalg.eigvalsh(len(x) * np.cov(x.T, bias=True)).mean()
    for strength, ours in zip((0.01, 1.0), fit_ridges(TRAIN, scale, (0.01, 1.0)), strict=True):
        theirs = Ridge(strength * unit).fit(x, TRAIN.target)
        np.testing.assert_allclose(ours(TEST), theirs.predict(differences(TEST)), rtol=1e-4)


def test_ridge_strength_is_the_best_on_the_validation_pairs():
    few = replace(TRAIN, left=TRAIN.left[:15], right=TRAIN.right[:15], target=TRAIN.target[:15])
    scale = TRAIN.features.std(axis=0)
    chosen = np.abs(select_ridge(few, HELD, scale)(HELD) - HELD.target).mean()
    tried = [np.abs(ridge(HELD) - HELD.target).mean() for ridge in fit_ridges(few, scale, RIDGE_STRENGTHS)]
    assert chosen == min(tried)
    assert tried.index(chosen) > 0


def test_predictions_do_not_depend_on_test_targets():
    one, other = (predicted(ONE_EPOCH, test=replace(TEST, target=TEST.target * k))[list(MODELS)] for k in (1, 5))
    pd.testing.assert_frame_equal(one, other)


def test_constant_features_predict_the_median_and_the_mean():
    same = replace(TRAIN, features=np.ones((200, 10), np.float32))
    table = predicted(ONE_EPOCH, same, empty_pair_set(), same)
    np.testing.assert_allclose(table["distance of features"], np.median(TRAIN.target))
    np.testing.assert_allclose(table["ridge on |f1 − f2|"], TRAIN.target.mean())


def test_predictions_that_are_not_finite_are_named(monkeypatch):
    monkeypatch.setattr("byol_kedro.pair_model.baselines._predict_on_line", lambda *_: np.full(2000, np.nan))
    message = r"^predictions of the distance of features holds NaN .* \(2000 numbers\); run the pipeline extract"
    with pytest.raises(NotFiniteError, match=message):
        predicted(ONE_EPOCH)


def test_no_test_pairs_give_no_predictions():
    assert predicted(ONE_EPOCH, test=empty_pair_set()).shape == (0, 7)
