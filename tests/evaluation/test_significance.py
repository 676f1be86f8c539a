"""Significance tests against textbook values and second implementations."""

from math import comb, erfc, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2_contingency

from byol_kedro.evaluation.significance import holm, mcnemar, two_proportions, wilson_trials


def predictions(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Correctness of two classifiers with the given 2 × 2 table."""
    counts = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_agrees_with_the_textbook() -> None:
    # Agresti, Categorical Data Analysis, the approval ratings of a prime minister: 794, 150, 86, 570, where
    # (150 - 86)² / 236 = 17.36; with the correction 63² / 236 = 16.82, and the squared normal says 4.1e-5.
    p = mcnemar(*predictions(794, 150, 86, 570))
    assert p == pytest.approx(erfc(sqrt(63**2 / 236 / 2)), rel=1e-9)
    assert p == pytest.approx(4.115e-5, rel=1e-3)


@given(only_a=st.integers(0, 24), only_b=st.integers(0, 24), agree=st.integers(0, 50))
def test_mcnemar_is_exact_below_25_discordant_pairs(only_a: int, only_b: int, agree: int) -> None:
    n = only_a + only_b
    if n >= 25:
        return
    tail = sum(comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    assert mcnemar(*predictions(agree, only_a, only_b, agree)) == pytest.approx(min(1.0, 2 * tail))


@pytest.mark.parametrize(("only_a", "only_b"), [(18, 7), (12, 13)])
def test_mcnemar_uses_chi_square_from_25_discordant_pairs(only_a: int, only_b: int) -> None:
    statistic = (abs(only_a - only_b) - 1) ** 2 / 25
    assert mcnemar(*predictions(9, only_a, only_b, 9)) == pytest.approx(erfc(sqrt(statistic / 2)))


def test_mcnemar_of_balanced_discordant_pairs_is_one() -> None:
    assert mcnemar(*predictions(5, 20, 20, 5)) == 1.0


def test_mcnemar_uses_the_pairing() -> None:
    a, b = predictions(700, 0, 12, 288)
    assert mcnemar(a, b) < 0.001
    assert two_proportions(a.mean(), 1000, b.mean(), 1000) > 0.3


def test_mcnemar_takes_numbers_for_correctness() -> None:
    a, b = predictions(5, 9, 2, 3)
    assert mcnemar(a.astype(int), b.astype(int)) == mcnemar(a.tolist(), b.tolist()) == mcnemar(a, b)


@given(right=st.lists(st.booleans(), min_size=1))
def test_mcnemar_of_equal_predictions_is_one(right: list[bool]) -> None:
    assert mcnemar(right, right) == 1.0


def test_two_proportions_agrees_with_the_chi_square_test() -> None:
    table = [[30, 70], [90, 110]]
    expected = chi2_contingency(table, correction=False).pvalue
    assert two_proportions(0.30, 100, 0.45, 200) == pytest.approx(expected)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_two_proportions_without_variance_are_equal(fraction: float) -> None:
    assert two_proportions(fraction, 10, fraction, 20) == 1.0


def test_holm_agrees_with_known_values() -> None:
    # By hand: 0.005 × 4, 0.01 × 3, 0.03 × 2, and 0.04 × 1 raised to the 0.06 before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_never_above_one() -> None:
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_holm_of_no_p_values() -> None:
    assert holm([]) == []


@given(n=st.integers(1, 100_000), data=st.data())
def test_trials_are_recovered_from_a_wilson_interval(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    interval = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson_trials(k / n, interval.low, interval.high) == n
