"""Top-1, its interval, rounding, and the two tables."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from sklearn.metrics import top_k_accuracy_score

from byol_kedro.evaluation.metrics import (
    PREDICTION_TYPES,
    expected_calibration_error,
    join_predictions,
    metrics_row,
    one_decimal,
    percent,
    predictions_table,
    top1,
    top_k,
    wilson_interval,
)
from byol_kedro.evaluation.probes.base import ProbeResult

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.3, 0.5, 0.2], [0.6, 0.3, 0.1]], np.float32)
TRUTH = np.array([0, 2, 1, 1])
WORDS = {"classifier": "kNN", "protocol": "knn", "features": "BYOL"}
SETTINGS = {"neighbors": 5}


def row(probabilities=PROBABILITIES):
    return metrics_row(ProbeResult(probabilities, {}, {"C": 0.1}), TRUTH, dim=512, seed=3, settings=SETTINGS, **WORDS)


def table():
    index = np.array([5, 6, 8, 9])
    return predictions_table(
        ProbeResult(PROBABILITIES), TRUTH, index, ["a", "b", "c", "d"], ["ant", "bee", "cat"], **WORDS
    )


@pytest.mark.parametrize("n", [16, 80, 400, 1600, 8000])
def test_percentages_round_half_up(n):
    for k in range(n + 1):
        tenths = (1000 * k * 2 + n) // (2 * n)  # of a percent, in whole numbers
        assert percent(k / n) == f"{tenths // 10}.{tenths % 10}"


@pytest.mark.parametrize(("value", "shown"), [(6.25, "6.3"), (100 * 0.6125, "61.3"), (100 * (0.6925 - 0.615), "7.8")])
def test_rounding_ignores_floating_point_error(value, shown):
    assert one_decimal(value) == shown


def test_top1_is_the_fraction_of_correct_predictions():
    assert top1(PROBABILITIES, TRUTH) == 0.75


@pytest.mark.parametrize(
    ("seen", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_agrees_with_newcombes_table(seen, n, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: the score method without correction."""
    assert wilson_interval(seen / n, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_scipy(seen_of):
    seen, n = seen_of
    theirs = binomtest(seen, n).proportion_ci(method="wilson")
    assert wilson_interval(seen / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@cache
def wilson_intervals(n):
    """(n + 1, 2): the intervals of 0 to n correct predictions."""
    return np.array([wilson_interval(k / n, n) for k in range(n + 1)])


@pytest.mark.parametrize("n", [500, 2000, 8000])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_wilson_interval_has_its_nominal_coverage(n, p):
    low, high = wilson_intervals(n).T
    held = (low <= p) & (p <= high)
    assert 0.93 <= binom.pmf(np.arange(n + 1), n, p)[held].sum() <= 0.97


def test_row_has_the_interval_of_top1():
    assert (row()["ci_low"], row()["ci_high"]) == wilson_interval(0.75, 4)


def test_row_is_json():
    assert json.loads(json.dumps(row())) == row()


def test_row_has_its_keys():
    found = {key: row()[key] for key in ("classifier", "protocol", "features", "dim", "top1", "n", "seed", "chosen")}
    assert found == WORDS | {"dim": 512, "top1": 0.75, "n": 4, "seed": 3, "chosen": {"C": 0.1}}
    assert row()["settings"] == SETTINGS


def test_table_has_one_row_per_image():
    columns = table()[["index", "name", "truth", "guess"]].to_numpy().tolist()
    assert columns == [[5, "a", 0, 0], [6, "b", 2, 2], [8, "c", 1, 1], [9, "d", 1, 0]]


def test_confidence_is_the_largest_probability():
    np.testing.assert_array_equal(table()["confidence"], np.array([0.7, 0.7, 0.5, 0.6], np.float32))


def test_table_has_class_names():
    columns = table()[["truth", "truth_class", "guess", "guess_class"]].to_numpy().tolist()
    assert columns == [[0, "ant", 0, "ant"], [2, "cat", 2, "cat"], [1, "bee", 1, "bee"], [1, "bee", 0, "ant"]]


@pytest.mark.parametrize("tables", [[], [table()], [table(), table()]])
def test_joined_table_has_all_columns_and_types(tables):
    joined = join_predictions(tables)
    assert {name: str(kind) for name, kind in joined.dtypes.items()} == PREDICTION_TYPES
    assert joined.index.tolist() == list(range(sum(map(len, tables))))


@pytest.mark.parametrize(("k", "expected"), [(1, 0.75), (2, 1.0), (3, 1.0)])
def test_top_k_counts_the_k_largest(k, expected):
    assert top_k(PROBABILITIES, TRUTH, k) == expected


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_top_k_agrees_with_scikit_learn(seed, k):
    generator = np.random.default_rng(seed)
    probabilities, truth = generator.random((30, 7)), generator.integers(0, 7, 30)
    assert top_k(probabilities, truth, k) == top_k_accuracy_score(truth, probabilities, k=k, labels=range(7))


def test_classes_without_a_vote_are_not_in_top5():
    probabilities = np.eye(12, dtype=np.float32)[[0, 0]]
    assert top_k(probabilities, np.array([1, 0]), 5) == 0.5


@pytest.mark.parametrize(("classes", "there"), [(10, False), (11, True)])
def test_row_has_top5_above_ten_classes(classes, there):
    probabilities = np.full((4, classes), 1 / classes, np.float32)
    assert ("top5" in row(probabilities)) == there


def test_top5_of_a_row_counts_ranks_up_to_five():
    ranked = np.tile(np.arange(12, 0, -1, dtype=np.float32), (4, 1))  # column k has rank k + 1
    truth = np.array([0, 4, 5, 11])
    found = metrics_row(
        ProbeResult(ranked / ranked.sum(axis=1, keepdims=True)), truth, dim=2, seed=0, settings={}, **WORDS
    )
    assert (found["top1"], found["top5"]) == (0.25, 0.5)


def test_row_has_the_calibration_error():
    confidence, right = PROBABILITIES.max(axis=1), np.array([True, True, True, False])
    assert row()["ece"] == expected_calibration_error(confidence, right)


def test_row_of_several_seeds_has_their_spread():
    worse = PROBABILITIES[::-1].copy()
    result = ProbeResult(PROBABILITIES, repeats=(worse, PROBABILITIES))
    several = metrics_row(result, TRUTH, dim=512, seed=3, settings=SETTINGS, **WORDS)
    each = [0.75, top1(worse, TRUTH), 0.75]
    assert several["top1"] == 0.75
    assert several["seeds"] == pytest.approx({"n": 3, "mean": np.mean(each), "std": np.std(each, ddof=1)})


def test_row_of_one_seed_has_no_spread():
    assert "seeds" not in row()
