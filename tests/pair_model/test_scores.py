"""Scores and intervals, compared with scikit-learn, scipy and known values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from byol_kedro.pair_model.baselines import MODELS
from byol_kedro.pair_model.scores import make_scorer, score_rows

PAIR_MODEL, OTHERS = MODELS[0], MODELS[1:]


def table(target, guess, other=None):
    guesses = {PAIR_MODEL: guess} | dict.fromkeys(OTHERS, guess if other is None else other)
    return pd.DataFrame({"target": target, **guesses})


def row_of(target, guess, unit=1.0, **more):
    return score_rows(table(target, guess), unit, seed=0, **more)[0]


def noisy(n=400, seed=0):
    generator = np.random.default_rng(seed)
    target = generator.random(n)
    return target, target + 0.2 * generator.normal(size=n)


@pytest.mark.parametrize("digits", [9, 1], ids=["no ties", "ties"])
def test_scores_match_scikit_learn_and_scipy(digits):
    target, guess = (values.round(digits) for values in noisy())
    row = row_of(target, guess, unit=0.5)
    assert row["l1"] == pytest.approx(mean_absolute_error(target, guess) / 0.5)
    assert row["spearman"] == pytest.approx(spearmanr(target, guess).statistic)
    assert row["r2"] == pytest.approx(r2_score(target, guess))
    assert row["n"] == 400


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), min_size=3, max_size=30))
@settings(deadline=None, max_examples=60)
def test_weights_are_equivalent_to_repeated_pairs(rows):
    target, guess, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    repeated = [np.repeat(values, weight.astype(int)) for values in (guess, target)]
    counted = make_scorer(guess, target, 1.0)(weight)
    copied = make_scorer(*repeated, 1.0)(np.ones(int(weight.sum())))
    if np.ptp(target) and len(repeated[1]) and np.ptp(repeated[1]):
        assert counted == pytest.approx(copied)


def test_intervals_match_a_plain_bootstrap():
    target, guess = noisy()
    generator, drawn = np.random.default_rng(1), {"l1": [], "spearman": [], "r2": []}
    for _ in range(1000):
        rows = generator.integers(0, len(target), len(target))
        drawn["l1"].append(mean_absolute_error(target[rows], guess[rows]))
        drawn["spearman"].append(spearmanr(target[rows], guess[rows]).statistic)
        drawn["r2"].append(r2_score(target[rows], guess[rows]))
    row = row_of(target, guess)
    for name, values in drawn.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_there_is_a_row_for_the_model_and_each_baseline():
    assert [row["model"] for row in score_rows(table(*noisy()), 1.0, 0)] == [
        "pair model", "mean of train", "distance of features", "distance of PCA 16", "ridge on |f1 − f2|",
    ]  # fmt: skip


def test_l1_behind_uses_the_same_resamples():
    target, guess = noisy()
    model, *others = score_rows(table(target, guess, guess + 0.5 * np.sign(guess - target)), 1.0, 0)
    assert (model["l1_behind"], model["l1_behind_low"], model["l1_behind_high"]) == (0, 0, 0)
    for row in others:
        assert (row["l1_behind_low"], row["l1_behind"], row["l1_behind_high"]) == pytest.approx((0.5,) * 3)


def test_the_same_seed_gives_the_same_intervals():
    given_table = table(*noisy())
    assert score_rows(given_table, 1.0, 3) == score_rows(given_table, 1.0, 3) != score_rows(given_table, 1.0, 4)


def test_a_constant_prediction_has_no_rank_correlation():
    row = row_of([1.0, 2.0], 1.0)
    assert (row["l1"], row["spearman"], row["r2"]) == (0.5, None, -1)


def test_a_constant_target_has_only_l1():
    row = row_of(1.0 / 3, [1.0, 2.0, 3.0])
    assert (row["spearman"], row["r2"]) == (None, None)
    assert row["l1"] == pytest.approx(5 / 3)


def test_scores_without_test_pairs_are_none():
    for row in score_rows(table([], []), 1.0, 0):
        assert {value for name, value in row.items() if name not in ("model", "n")} == {None}
