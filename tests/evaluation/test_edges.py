"""Statistics for the smallest samples, against a second implementation of each formula."""

from fractions import Fraction
from math import comb, erfc, isnan, sqrt

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from byol_kedro.evaluation.comparison import bootstrap_points
from byol_kedro.evaluation.metrics import BINS, expected_calibration_error, top1, top_k, wilson_interval
from byol_kedro.evaluation.probes.knn import knn_probabilities
from byol_kedro.evaluation.significance import FEW, holm, mcnemar, two_proportions
from byol_kedro.pair_model.baselines import MODELS
from byol_kedro.pair_model.scores import score_rows

Z = 1.959963984540054  # of the two-sided 95 %
SIZES = [1, 2, 3, 10, 24, 25, 26, 1600, 8000, 10007]


def predictions(only_a, only_b, agree=0):
    """Correctness of two classifiers with the given numbers of discordant and concordant images."""
    a = np.repeat([True, False, True], [only_a, only_b, agree])
    return a, np.repeat([False, True, True], [only_a, only_b, agree])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("wrong", ["all", "one", "none"])
def test_wilson_interval_solves_its_equation(n, wrong):
    right = {"all": 0, "one": n - 1, "none": n}[wrong]
    low, high = wilson_interval(right / n, n)
    assert 0 <= low <= right / n <= high <= 1
    assert high > low
    for bound in (low, high):
        assert n * (right / n - bound) ** 2 == pytest.approx(Z**2 * bound * (1 - bound), abs=1e-12 * n)


@pytest.mark.parametrize("n", SIZES)
def test_wilson_interval_ends_at_0_or_1(n):
    assert wilson_interval(0.0, n)[0] == 0
    assert wilson_interval(1.0, n)[1] == 1


def exact_mcnemar(only_a, only_b):
    """The two-sided binomial test with probability 1/2, in exact integers."""
    n = only_a + only_b
    seen = comb(n, only_a)
    return float(Fraction(sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= seen), 2**n))


@pytest.mark.parametrize("discordant", [0, 1, 2, FEW - 1, FEW, FEW + 1, 400])
@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("agree", [0, 7])
def test_mcnemar_for_few_and_many_pairs(discordant, share, agree):
    only_a = int(share * discordant)
    only_b = discordant - only_a
    p = mcnemar(*predictions(only_a, only_b, agree + (discordant == 0)))
    if discordant < FEW:
        assert p == pytest.approx(exact_mcnemar(only_a, only_b))
    else:
        statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
        assert p == pytest.approx(erfc(sqrt(statistic / 2)))
    assert 0 <= p <= 1


@pytest.mark.parametrize("only_a", range(0, 121, 5))
def test_mcnemars_approximation_is_near_the_exact_test(only_a):
    p, other = mcnemar(*predictions(only_a, 120 - only_a)), exact_mcnemar(only_a, 120 - only_a)
    assert p == pytest.approx(other, rel=0.1, abs=0.005) or max(p, other) < 1e-4


def step_down(p_values):
    """Holm's step-down procedure: reject the smallest while it is below level / (remaining hypotheses)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    for k, i in enumerate(order):
        # The least level at which this hypothesis and all before it are rejected.
        adjusted[i] = min(1.0, max((len(p_values) - j) * p_values[order[j]] for j in range(k + 1)))
    return adjusted


@given(st.lists(st.sampled_from([0.0, 1e-300, 0.001, 0.01, 0.01, 0.04, 0.5, 1.0]), max_size=12))
def test_holm_rejects_the_same_hypotheses(p_values):
    assert holm(p_values) == pytest.approx(step_down(p_values))


@pytest.mark.parametrize(("a", "n", "b", "m"), [(1, 1, 0, 1), (0, 1, 1, 8000), (1, 8000, 0, 8000), (0.5, 2, 0.5, 2)])
def test_two_proportions_for_extreme_fractions(a, n, b, m):
    pooled = (a * n + b * m) / (n + m)
    z = abs(a - b) / sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    assert two_proportions(a, n, b, m) == pytest.approx(erfc(z / sqrt(2)))


@pytest.mark.parametrize(("only_a", "only_b", "agree"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (30, 0, 0), (0, 0, 30)])
def test_bootstrap_of_equal_pairs_has_no_width(only_a, only_b, agree):
    right = predictions(only_a, only_b, agree)
    points = 100 * (only_a - only_b) / (only_a + only_b + agree)
    assert bootstrap_points(*right, 200, np.random.default_rng(0)) == (points, points)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_bootstrap_is_within_bounds(only_a, only_b, agree, seed):
    low, high = bootstrap_points(*predictions(only_a, only_b, agree), 100, np.random.default_rng(seed))
    assert -100 <= low <= high <= 100
    assert low >= 0 or only_b


def expected_calibration(confidence, right):
    """Guo et al., equation 3, bin by bin; upper bin edges are inclusive."""
    total = 0.0
    for m in range(1, BINS + 1):
        members = [
            (float(c), r) for c, r in zip(confidence, right, strict=True) if (m - 1) / BINS < float(c) <= m / BINS
        ]
        if members:
            mean, share = (sum(column) / len(members) for column in zip(*members, strict=True))
            total += len(members) / len(confidence) * abs(share - mean)
    return total


@pytest.mark.parametrize(
    ("confidence", "right"),
    [([1.0], [True]), ([1.0], [False]), ([0.5], [True]), ([0.1] * 7, [False] * 7), ([0.2, 0.6, 1.0], [True] * 3),
     (np.random.default_rng(0).random(500) * 0.9 + 0.1, np.random.default_rng(1).random(500) < 0.5)],
)  # fmt: skip
def test_calibration_error_agrees_with_the_formula(confidence, right):
    given_confidence = np.asarray(confidence, np.float32)
    found = expected_calibration_error(given_confidence, np.asarray(right))
    assert found == pytest.approx(expected_calibration(given_confidence, right), abs=1e-6)


def expected_vote(train, labels, asked, k, classes):
    """Class of most neighbors; ties go to the larger sum of similarities."""
    unit = [x / np.linalg.norm(x) for x in train.astype(float)]
    nearest = sorted(range(len(unit)), key=lambda i: -(unit[i] @ asked / np.linalg.norm(asked)))[:k]
    score = [(sum(labels[i] == c for i in nearest), sum(unit[i] @ asked for i in nearest if labels[i] == c))
             for c in range(classes)]  # fmt: skip
    return max(range(classes), key=lambda c: score[c])


TIES = {
    "one each": ([[1.0, 0.0], [0.9, 0.5]], [1, 0], 2),
    "two each": ([[1.0, 0.0], [0.5, 1.0], [0.9, 0.2], [0.9, 0.3]], [1, 1, 0, 0], 4),
    "fewer images than neighbors": ([[1.0, 0.1], [0.2, 1.0], [1.0, 0.3]], [0, 1, 1], 5),
    "one image": ([[0.3, 1.0]], [1], 5),
    "opposite": ([[-1.0, 0.0], [-0.9, 0.1]], [0, 1], 2),
}


@pytest.mark.parametrize(("train", "labels", "k"), TIES.values(), ids=TIES)
def test_tied_vote_goes_to_the_nearer_class(train, labels, k):
    train, asked = np.array(train, np.float32), np.array([1.0, 0.0], np.float32)
    given_tensors = torch.from_numpy(train), torch.tensor(labels), torch.from_numpy(asked[None])
    probabilities = knn_probabilities(*given_tensors, k, 2)
    assert int(probabilities.argmax()) == expected_vote(train, labels, asked, k, 2)
    assert float(probabilities.sum()) == pytest.approx(1)


@pytest.mark.parametrize("truth", [[0], [3]], ids=["right", "wrong"])
def test_top_k_of_one_image(truth):
    probabilities = np.array([[0.5, 0.2, 0.2, 0.1]], np.float32)
    assert top1(probabilities, np.array(truth)) == (truth == [0])
    assert top_k(probabilities, np.array(truth), 4) == 1


def pair_scores(target, guess, unit=1.0):
    """The row of the pair model."""
    return score_rows(pd.DataFrame({"target": target, **dict.fromkeys(MODELS, guess)}), unit, 0)[0]


@pytest.mark.parametrize("target", [[0.1, 0.3, 0.7], [0.1, 0.3, 0.7, 0.2]], ids=len)
def test_r2_of_few_pairs(target):
    """A resample of a single pair has no R²; the mean of equal numbers may differ from them in the last digit."""
    target = np.array(target)
    guess = target + np.array([0.01, -0.02, 0.01, 0.03])[: len(target)]
    row = pair_scores(target, guess)
    distinct = [np.array(rows) for rows in np.ndindex(*[len(target)] * len(target)) if len(set(rows)) > 1]
    possible = [1 - sum((guess[r] - target[r]) ** 2) / sum((target[r] - target[r].mean()) ** 2) for r in distinct]
    assert min(possible) - 1e-9 <= row["r2_low"] <= row["r2_high"] <= max(possible) + 1e-9


def test_single_pair_has_no_interval():
    row = pair_scores([0.5], [0.7], unit=0.5)
    assert row["l1"] == pytest.approx(0.4)
    assert [row[name] for name in ("l1_low", "l1_high", "spearman", "r2")] == [None] * 4


def test_relative_difference_of_zero_targets_is_undefined():
    row = pair_scores([0.0, 0.0], [0.1, 0.0], unit=0.0)
    assert [row[name] for name in ("l1", "l1_low", "l1_behind", "spearman", "r2")] == [None] * 5


def test_scores_are_finite():
    for target in ([0.1], [0.1, 0.1, 0.1], [0.1, 0.3, 0.7]):
        numbers = [value for value in pair_scores(np.array(target), np.array(target) * 2).values() if value is not None]
        assert not any(isnan(value) for value in numbers if isinstance(value, float))
