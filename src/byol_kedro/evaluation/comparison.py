"""Pairwise comparison of all classifiers of a run on the same test images, with tests of significance."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.significance import holm, mcnemar

RESAMPLES = 2_000  # chosen: 50 resamples lie beyond each end of a 95 % interval
CLASSIFIER = ["features", "protocol"]
COLUMNS = {
    "features_a": "str",
    "protocol_a": "str",
    "features_b": "str",
    "protocol_b": "str",
    "n": "int64",
    "only_a": "int64",
    "only_b": "int64",
    "points": "float64",
    "points_low": "float64",
    "points_high": "float64",
    "p": "float64",
    "p_holm": "float64",
}


def compare_all(predictions: pd.DataFrame, seed: int, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Compare every two classifiers of a predictions table.

    Args:
        predictions: Table with the columns of `metrics.PREDICTION_TYPES`.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.

    Returns:
        One row for each pair, in the order of the table, with the columns and types of `COLUMNS`. Both classifiers are
        compared on the `n` images that both have predicted. `only_a` and `only_b` count the images that one alone
        predicts correctly; `points` is top-1 of a minus that of b, in percentage points, with its 95 % bootstrap
        interval; `p` is McNemar's p-value, and `p_holm` the same adjusted over all rows.
    """
    compared = predictions.assign(correct=predictions["truth"] == predictions["guess"])
    correct = {
        (str(features), str(protocol)): group.set_index("name")["correct"]
        for (features, protocol), group in compared.groupby(CLASSIFIER, sort=False)
    }
    generator = np.random.default_rng(seed)
    rows = [
        {**_names(a, b), **_compare(*_common(correct[a], correct[b]), resamples, generator)}
        for a, b in combinations(correct, 2)
        if len(correct[a].index.intersection(correct[b].index))
    ]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    return table.assign(p_holm=holm(table["p"].tolist())).astype(COLUMNS)


def bootstrap_points(
    correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_], resamples: int, generator: np.random.Generator
) -> tuple[float, float]:
    """95 % percentile interval of top-1 of a minus that of b, in percentage points, over resampled images.

    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Args:
        correct_a: Whether a predicts image i correctly, (N,) bool.
        correct_b: The same for b. Images are drawn with replacement, both predictions together.
        resamples: Number of resamples.
        generator: Source of the draws.
    """
    n = len(correct_a)
    only_a, only_b = float(np.mean(correct_a & ~correct_b)), float(np.mean(correct_b & ~correct_a))
    # The numbers of drawn images that a alone and b alone predict correctly are multinomial. Drawing them directly
    # needs no table of `resamples` by N image numbers.
    drawn = generator.multinomial(n, [only_a, only_b, max(0.0, 1 - only_a - only_b)], size=resamples)
    low, high = np.quantile(100 * (drawn[:, 0] - drawn[:, 1]) / n, [0.025, 0.975])
    return float(low), float(high)


def _names(a: tuple[str, str], b: tuple[str, str]) -> dict[str, str]:
    return {"features_a": a[0], "protocol_a": a[1], "features_b": b[0], "protocol_b": b[1]}


def _common(a: "pd.Series[bool]", b: "pd.Series[bool]") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    names = a.index.intersection(b.index)
    return a.loc[names].to_numpy(np.bool_), b.loc[names].to_numpy(np.bool_)


def _compare(
    correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_], resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    only_a, only_b = int(np.sum(correct_a & ~correct_b)), int(np.sum(correct_b & ~correct_a))
    low, high = bootstrap_points(correct_a, correct_b, resamples, generator)
    return {
        "n": len(correct_a),
        "only_a": only_a,
        "only_b": only_b,
        "points": 100 * (only_a - only_b) / len(correct_a),
        "points_low": low,
        "points_high": high,
        "p": mcnemar(correct_a, correct_b),
    }
