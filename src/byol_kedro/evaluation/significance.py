"""Whether two classifiers differ by more than the chance of which test images there were."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

LEVEL = 0.05  # of p-values after Holm's adjustment: below it a difference is called more than chance
FEW = 25  # discordant pairs below which the chi-square approximation is not used


def mcnemar(right_a: npt.ArrayLike, right_b: npt.ArrayLike) -> float:
    """Two-sided p-value of two classifiers being equally often right, on the same N images.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947), 153-157. Only the discordant pairs count: b images that A alone has right, c that
    B alone has. From 25 of them on, (|b - c| - 1)² / (b + c) is taken as chi-square with one degree of freedom
    (continuity correction: Edwards, Psychometrika 13 (1948), 185-187, never below 0); with fewer, b is binomial
    with b + c trials and probability 1/2, exactly. Without any, 1.

    Args:
        right_a, right_b: (N,) bool, whether A and B have image i right.
    """
    a, b = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
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
    """Two-sided p-value of two independent proportions, seen in `n_a` and `n_b` trials, being equal.

    The z-test with the pooled proportion; Agresti, Categorical Data Analysis (3rd ed., 2013), section 3.1.
    Where neither or both are always right, 1.
    """
    pooled = (fraction_a * n_a + fraction_b * n_b) / (n_a + n_b)
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_b)
    if variance <= 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(fraction_a - fraction_b) / variance**0.5))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several, in the order given: the chance of even one false alarm stays below p.

    They have to be one family: what is claimed together (docs/protocols.md, Families).
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979),
    65-70: the k-th smallest of m (k from 0) is multiplied by m - k, then none is smaller than one before it.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors), 1)
    return [float(p) for p in adjusted[np.argsort(order, kind="stable")]]


def wilson_trials(fraction: float, low: float, high: float, level: float = 0.95) -> int:
    """The number of trials n behind a Wilson interval, from z² x (1 - x) = n (fraction - x)² at a bound x.

    That is the equation whose two roots are the bounds (see `metrics.wilson_interval`).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    bound = max(low, high, key=lambda x: abs(x - fraction))
    return round(z**2 * bound * (1 - bound) / (fraction - bound) ** 2)
