"""How good a classifier is, and how sure that is."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it ships no types

from byol_kedro.evaluation.probes.base import Features, Fit, Labels

# Five guesses of ten classes or fewer are right too easily to say much.
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

    What is tied with the last of the k is not among them: a kNN gives most classes no vote at all.
    """
    of_truth = np.take_along_axis(probabilities, truth[:, None], axis=1)
    return float(np.mean(np.sum(probabilities >= of_truth, axis=1) <= k))


def wilson_interval(fraction: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a proportion `fraction` that was seen in `n` > 0 independent trials.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212;
    as equation 4 in Brown, Cai, DasGupta, Statistical Science 16 (2001), 101-133, without continuity
    correction. Lies within [0, 1], holds `fraction`, and has a width at 0 and 1 too.
    """
    interval = stats.binomtest(round(fraction * n), n).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def percent(fraction: float) -> str:
    """`61.3` of 0.6125: the one way in which a fraction is shown."""
    return one_decimal(100 * fraction)


def one_decimal(value: float) -> str:
    """One digit after the point, a half upward as browsers do; formats of Python take it to the even digit.

    What a double is off by is not rounded: 100 * 0.6125 is 61.25000000000001.
    """
    return str(Decimal(repr(round(float(value), 9))).quantize(Decimal("0.1"), ROUND_HALF_UP))


def metrics_row(
    fit: Fit,
    truth: Labels,
    *,
    classifier: str,
    protocol: str,
    features: str,
    dim: int,
    seed: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """One row of a metrics json, of plain floats, ints and strings, for a fit and the truth (M,) int64.

    `settings` are the parameters of the classifier; `ece` is a fraction; `top5` is there above `TOP5_ABOVE` classes,
    `seeds` where several seeds were fitted.
    """
    fraction = top1(fit.probabilities, truth)
    low, high = wilson_interval(fraction, len(truth))
    right = fit.probabilities.argmax(axis=1) == truth
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
        "chosen": dict(fit.chosen),
        "ece": expected_calibration_error(fit.probabilities.max(axis=1), right),
    }
    if fit.probabilities.shape[1] > TOP5_ABOVE:
        row["top5"] = top_k(fit.probabilities, truth, 5)
    if fit.repeats:
        row["seeds"] = spread([top1(each, truth) for each in (fit.probabilities, *fit.repeats)])
    return row


def spread(values: Sequence[float]) -> dict[str, Any]:
    """`n`, `mean` and `std` of values; the deviation is that of a sample (divided by n - 1), 0 of a single value."""
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
    }


def predictions_table(
    fit: Fit,
    truth: Labels,
    index: Labels,
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    classifier: str,
    protocol: str,
    features: str,
) -> pd.DataFrame:
    """One line for each test image, with the columns and types of `PREDICTION_TYPES`.

    `truth`, `index` (M,) int64 and `names` (M) belong to the rows of the fit's probabilities, `class_names` to their
    columns; `confidence` is the probability of the guess.
    """
    guess, classes = fit.probabilities.argmax(axis=1), np.asarray(class_names, dtype=object)
    columns = {
        "index": index,
        "name": list(names),
        "truth": truth,
        "truth_class": classes[truth],
        "guess": guess,
        "guess_class": classes[guess],
        "confidence": fit.probabilities.max(axis=1),
        "classifier": classifier,
        "protocol": protocol,
        "features": features,
    }
    return pd.DataFrame(columns).astype(PREDICTION_TYPES)


def join_predictions(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All tables, one after the other; of no tables, an empty one with the same columns and types."""
    if not tables:
        return pd.DataFrame(columns=list(PREDICTION_TYPES)).astype(PREDICTION_TYPES)
    return pd.concat(tables, ignore_index=True)


def expected_calibration_error(confidence: Features, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy, in [0, 1], over bins of equal width (((m - 1) / M, m / M]).

    confidence (M,) float32: the probability of the guess; right (M,) bool. A bin counts with the share of the
    images that it holds. Equation 3 of Guo, Pleiss, Sun, Weinberger, arXiv 1706.04599.
    """
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins) - 1, 0, bins - 1).astype(np.int64)
    gaps = np.bincount(place, weights=right - confidence.astype(np.float64), minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
