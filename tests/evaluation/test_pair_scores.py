"""What is said of the pair model, against scikit-learn, scipy and known answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from byol_kedro.evaluation.pair_model import fit_pair_model
from byol_kedro.evaluation.pair_scores import predict_pairs, score_rows
from tests.evaluation.pair_problems import SETTINGS, linear_pairs


@pytest.fixture(scope="module")
def predictions():
    train = linear_pairs()
    return predict_pairs(fit_pair_model(train, SETTINGS, seed=0), train, linear_pairs(noise_seed=1))


def table(target, guess):
    guesses = dict.fromkeys(["pair model", "mean of train", "raw feature distance"], guess)
    return pd.DataFrame({"target": target, **guesses})


def test_scores_are_those_of_scikit_learn_and_scipy(predictions):
    row = next(row for row in score_rows(predictions) if row["model"] == "pair model")
    target, guess = predictions["target"], predictions["pair model"]
    assert row["l1"] == pytest.approx(mean_absolute_error(target, guess))
    assert row["spearman"] == pytest.approx(spearmanr(target, guess).statistic)
    assert row["r2"] == pytest.approx(r2_score(target, guess))
    assert row["n"] == 2000


def test_rows_are_the_model_and_its_two_references(predictions):
    assert [row["model"] for row in score_rows(predictions)] == ["pair model", "mean of train", "raw feature distance"]


def test_the_pair_model_beats_both_references_where_the_target_is_learnable(predictions):
    l1 = {row["model"]: row["l1"] for row in score_rows(predictions)}
    assert l1["pair model"] < 0.5 * min(l1["mean of train"], l1["raw feature distance"])


def test_the_mean_of_train_is_the_mean_of_the_training_targets(predictions):
    unit = linear_pairs(noise_seed=1).target[0] / predictions["target"][0]
    assert predictions["mean of train"][0] * unit == pytest.approx(linear_pairs().target.mean())


def test_the_factor_of_the_raw_distance_is_the_best_one_on_the_training_pairs(predictions):
    train, test = linear_pairs(), linear_pairs(noise_seed=1)
    mean, deviation = train.features.mean(0), train.features.std(0)
    raw, new = (
        np.linalg.norm(((p.features - mean) / deviation)[p.left] - ((p.features - mean) / deviation)[p.right], axis=1)
        for p in (train, test)
    )
    target = train.target / train.target.mean()
    best = minimize_scalar(lambda a: np.abs(a * raw - target).sum(), bounds=(0, 2), method="bounded").x
    np.testing.assert_allclose(predictions["raw feature distance"], best * new, rtol=1e-3)


def test_test_targets_do_not_move_the_references():
    train, test = linear_pairs(), linear_pairs(noise_seed=1)
    model = fit_pair_model(train, SETTINGS.model_copy(update={"epochs": 1}), seed=0)
    one, other = (predict_pairs(model, train, replace(test, target=test.target * k)) for k in (1, 5))
    pd.testing.assert_frame_equal(one.drop(columns="target"), other.drop(columns="target"))


def test_a_constant_guess_has_no_rank_correlation():
    row = score_rows(table([1.0, 2.0], 1.0))[0]
    assert (row["l1"], row["spearman"], row["r2"]) == (0.5, None, -1)


def test_a_constant_target_leaves_only_l1():
    row = score_rows(table(1.0, [1.0, 2.0]))[0]
    assert (row["l1"], row["spearman"], row["r2"]) == (0.5, None, None)


def test_no_test_pairs_give_rows_without_numbers():
    rows = score_rows(table([], []))
    assert all(row == {"model": row["model"], "l1": None, "spearman": None, "r2": None, "n": 0} for row in rows)


def test_features_that_do_not_vary_have_a_raw_distance_of_zero():
    same = replace(linear_pairs(), features=np.ones((200, 10), np.float32))
    model = fit_pair_model(same, SETTINGS.model_copy(update={"epochs": 1}), seed=0)
    assert (predict_pairs(model, same, same)["raw feature distance"] == 0).all()
