"""What the pair model has to beat, against scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import QuantileRegressor, Ridge
from sklearn.preprocessing import StandardScaler

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
IMAGES = linear_pairs(noise_seed=3)  # the train images, of which the pairs name others
ONE_EPOCH = changed(SETTINGS, epochs=1)


def predicted(settings, train=TRAIN, validation=HELD, test=TEST):
    """What is said of test pairs after a training on train pairs."""
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


def test_a_line_has_target_guesses_and_the_difference_of_the_pair_model(predictions):
    assert list(predictions) == ["target", "pair model", "difference", *MODELS[1:]]
    np.testing.assert_array_equal(predictions["target"], TEST.target)
    np.testing.assert_allclose(predictions["difference"], np.abs(predictions["pair model"] - TEST.target))


def test_without_pairs_there_are_the_same_columns_and_no_rows(predictions):
    pd.testing.assert_frame_equal(empty_predictions(), predictions[:0])


def test_the_pair_model_beats_all_where_the_target_is_learnable(predictions):
    model, *others = errors(predictions).values()
    assert model < 0.6 * min(others)


def test_the_mean_is_that_of_the_training_targets(predictions):
    np.testing.assert_allclose(predictions["mean of train"], TRAIN.target.mean())


@pytest.mark.parametrize(
    ("model", "reduce"),
    [("distance of features", None), ("distance of PCA 16", PCA(5))],
    ids=["features", "PCA"],
)
def test_distances_stand_on_the_best_line_of_the_training_pairs(model, reduce, monkeypatch):
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


def test_where_distance_misleads_the_line_is_level():
    slope, intercept = fit_lad_line(np.arange(9.0), -np.arange(9.0))
    assert (slope, intercept) == pytest.approx((0, -4), abs=1e-3)


def test_the_ridge_is_that_of_scikit_learn():
    x, scale = differences(TRAIN), IMAGES.features.std(axis=0)
    unit = np.linalg.eigvalsh(len(x) * np.cov(x.T, bias=True)).mean()
    for strength, ours in zip((0.01, 1.0), fit_ridges(TRAIN, scale, (0.01, 1.0)), strict=True):
        theirs = Ridge(strength * unit).fit(x, TRAIN.target)
        np.testing.assert_allclose(ours(TEST), theirs.predict(differences(TEST)), rtol=1e-4)


def test_the_strength_of_the_ridge_is_the_best_on_the_validation_pairs():
    few = replace(TRAIN, left=TRAIN.left[:15], right=TRAIN.right[:15], target=TRAIN.target[:15])
    scale = TRAIN.features.std(axis=0)
    chosen = np.abs(select_ridge(few, HELD, scale)(HELD) - HELD.target).mean()
    tried = [np.abs(ridge(HELD) - HELD.target).mean() for ridge in fit_ridges(few, scale, RIDGE_STRENGTHS)]
    assert chosen == min(tried)
    assert tried.index(chosen) > 0


def test_test_targets_do_not_move_what_is_said():
    one, other = (predicted(ONE_EPOCH, test=replace(TEST, target=TEST.target * k))[list(MODELS)] for k in (1, 5))
    pd.testing.assert_frame_equal(one, other)


def test_features_that_do_not_vary_leave_the_median_and_the_mean():
    same = replace(TRAIN, features=np.ones((200, 10), np.float32))
    table = predicted(ONE_EPOCH, same, empty_pair_set(), same)
    np.testing.assert_allclose(table["distance of features"], np.median(TRAIN.target))
    np.testing.assert_allclose(table["ridge on |f1 − f2|"], TRAIN.target.mean())


def test_without_test_pairs_the_table_is_empty():
    assert predicted(ONE_EPOCH, test=empty_pair_set()).shape == (0, 7)
