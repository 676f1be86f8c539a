"""Metrics of a classifier with their confidence intervals, and the tables that hold them."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # ships no types

from byol_kedro.evaluation.probes.base import Features, Labels, ProbeResult

# Top-5 says little for ten classes or fewer.
TOP5_ABOVE = 10

PREDICTION_TYPES = {
    "index": "int64",
    "name": "str",
    "truth": "int64",
    "truth_class": "str",
    "guess": "int64",
    "guess_class": "str",
    "confidence": "float32",
    "classifier": "str",
    "protocol": "str",
    "features": "str",
}
BINS = 15  # Guo et al., arXiv 1706.04599, table 1


def top1(probabilities: Features, truth: Labels) -> float:
    """Fraction of the rows of probabilities (M, n_classes) whose largest entry is at truth (M,)."""
    return float(np.mean(probabilities.argmax(axis=1) == truth))


def top_k(probabilities: Features, truth: Labels, k: int) -> float:
    """Fraction of the rows of probabilities (M, n_classes) with truth (M,) among the k largest entries.

    Entries tied with the k-th largest one do not count: a kNN gives most classes no vote at all.
    """
    of_truth = np.take_along_axis(probabilities, truth[:, None], axis=1)
    return float(np.mean(np.sum(probabilities >= of_truth, axis=1) <= k))


def wilson_interval(fraction: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson confidence interval of a proportion `fraction` observed in `n` > 0 independent trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212;
    as equation 4 in Brown, Cai, DasGupta, Statistical Science 16 (2001), 101-133, without continuity
    correction. It lies within [0, 1], contains `fraction`, and has a positive width at 0 and 1 too.
    """
    interval = stats.binomtest(round(fraction * n), n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def percent(fraction: float) -> str:
    """Format a fraction as a percentage, such as `61.3` for 0.6125; every table and figure uses it."""
    return one_decimal(100 * fraction)


def one_decimal(value: float) -> str:
    """Format a number with one decimal, a half rounded up as browsers do, and not to the even digit as Python does.

    Rounding errors of doubles do not count: 100 * 0.6125 is 61.25000000000001.
    """
    return str(Decimal(repr(round(float(value), 9))).quantize(Decimal("0.1"), ROUND_HALF_UP))


def metrics_row(
    result: ProbeResult,
    truth: Labels,
    *,
    classifier: str,
    protocol: str,
    features: str,
    dim: int,
    seed: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """One row of a metrics JSON, of plain floats, ints and strings.

    Args:
        result: Result of a probe.
        truth: Labels of the test images, (M,) int64.
        classifier: Label of the probe.
        protocol: Name of the probe.
        features: Name of the features.
        dim: Number of features.
        seed: Seed of the probe.
        settings: Parameters of the probe.

    Returns:
        The arguments; `top1` with its 95 % interval `ci_low` to `ci_high`, of `n` images; `ece`, the expected
        calibration error, a fraction; `chosen`; `top5` above `TOP5_ABOVE` classes; `seeds`, the spread of top-1 over
        seeds, if there are several.
    """
    fraction = top1(result.probabilities, truth)
    low, high = wilson_interval(fraction, len(truth))
    correct = result.probabilities.argmax(axis=1) == truth
    row = {
        "classifier": classifier,
        "protocol": protocol,
        "features": features,
        "dim": dim,
        "top1": fraction,
        "ci_low": low,
        "ci_high": high,
        "n": len(truth),
        "seed": seed,
        "settings": dict(settings),
        "chosen": dict(result.chosen),
        "ece": expected_calibration_error(result.probabilities.max(axis=1), correct),
    }
    if result.probabilities.shape[1] > TOP5_ABOVE:
        row["top5"] = top_k(result.probabilities, truth, 5)
    if result.repeats:
        row["seeds"] = spread([top1(each, truth) for each in (result.probabilities, *result.repeats)])
    return row


def spread(values: Sequence[float]) -> dict[str, Any]:
    """`n`, `mean` and `std` of values; the deviation is that of a sample (n - 1), and 0 for a single value."""
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
    }


def predictions_table(
    result: ProbeResult,
    truth: Labels,
    index: Labels,
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    classifier: str,
    protocol: str,
    features: str,
) -> pd.DataFrame:
    """One row for each test image, with the columns and types of `PREDICTION_TYPES`.

    Args:
        result: Result of a probe; `guess` is its most probable class, `confidence` the probability of it.
        truth: Labels of the test images, (M,) int64.
        index: Numbers of the test images in their split, (M,) int64.
        names: Names of the test images, M of them.
        class_names: Names of the classes, in the order of the columns of the probabilities.
        classifier: Label of the probe.
        protocol: Name of the probe.
        features: Name of the features.
    """
    guess, classes = result.probabilities.argmax(axis=1), np.asarray(class_names, dtype=object)
    columns = {
        "index": index,
        "name": list(names),
        "truth": truth,
        "truth_class": classes[truth],
        "guess": guess,
        "guess_class": classes[guess],
        "confidence": result.probabilities.max(axis=1),
        "classifier": classifier,
        "protocol": protocol,
        "features": features,
    }
    return pd.DataFrame(columns).astype(PREDICTION_TYPES)


def join_predictions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables; without any, return an empty one with the same columns and types."""
    if not tables:
        return pd.DataFrame(columns=list(PREDICTION_TYPES)).astype(PREDICTION_TYPES)
    return pd.concat(tables, ignore_index=True)


def expected_calibration_error(confidence: Features, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy, in [0, 1], over bins of equal width ((m - 1) / M, m / M].

    Each bin is weighted by its number of images. Equation 3 of Guo, Pleiss, Sun, Weinberger, arXiv 1706.04599.

    Args:
        confidence: Probability of the predicted class, (M,) float32.
        correct: Whether the prediction is correct, (M,) bool.
        bins: Number of bins.
    """
    bin_of = np.clip(np.ceil(confidence.astype(np.float64) * bins) - 1, 0, bins - 1).astype(np.int64)
    gaps = np.bincount(bin_of, weights=correct - confidence.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
