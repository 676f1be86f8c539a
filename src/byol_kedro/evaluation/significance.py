"""Significance tests: McNemar, two proportions, Holm's adjustment."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]  # ships no types

LEVEL = 0.05  # significance level of p-values after Holm's adjustment
FEW = 25  # discordant pairs below which the exact test is used


def mcnemar(correct_a: npt.ArrayLike, correct_b: npt.ArrayLike) -> float:
    """Two-sided p-value of McNemar's test: two classifiers have the same accuracy on the same N images.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947), 153-157. Only discordant pairs count: b images that A alone predicts correctly, c that
    B alone does. From 25 of them on, (|b - c| - 1)² / (b + c) is chi-square with one degree of freedom (continuity
    correction: Edwards, Psychometrika 13 (1948), 185-187, never below 0). With fewer, the test is exact: b is binomial
    with b + c trials and probability 1/2. Without any, the p-value is 1.

    Args:
        correct_a: Whether A predicts image i correctly, (N,) bool.
        correct_b: The same for B.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    assert a.shape == b.shape, (a.shape, b.shape)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    discordant = only_a + only_b
    if discordant == 0:
        return 1.0
    if discordant < FEW:
        return float(stats.binomtest(only_a, discordant).pvalue)
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
    return float(stats.chi2.sf(statistic, df=1))


def two_proportions(fraction_a: float, n_a: int, fraction_b: float, n_b: int) -> float:
    """Two-sided p-value of the z-test: two independent proportions, of `n_a` and `n_b` trials, are equal.

    The variance is that of the pooled proportion; Agresti, Categorical Data Analysis (3rd ed., 2013), section 3.1. If
    both proportions are 0 or both are 1, the p-value is 1.
    """
    pooled = (fraction_a * n_a + fraction_b * n_b) / (n_a + n_b)
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_b)
    if variance <= 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(fraction_a - fraction_b) / variance**0.5))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple tests with Holm's method, which controls the family-wise error rate.

    The k-th smallest of m (k from 0) is multiplied by m - k, then a running maximum makes them monotonic. The tests
    have to be one family: the claims that are made together (docs/protocols.md, Families). Holm, "A simple
    sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979), 65-70.

    Returns:
        Adjusted p-values in the order given.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors), 1)
    return [float(p) for p in adjusted[np.argsort(order, kind="stable")]]


def wilson_trials(fraction: float, low: float, high: float, level: float = 0.95) -> int:
    """The number of trials n of a Wilson interval, solved from z² x (1 - x) = n (fraction - x)² at a bound x.

    The two bounds are the roots of this equation (see `metrics.wilson_interval`).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    bound = max(low, high, key=lambda x: abs(x - fraction))
    return round(z**2 * bound * (1 - bound) / (fraction - bound) ** 2)
