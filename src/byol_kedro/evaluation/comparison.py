"""Every two classifiers of a run on the same test images: who is better, and is it more than luck?"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.significance import holm, mcnemar

RESAMPLES = 2_000  # chosen: the ends of a 95 % interval then rest on 50 resamples each
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
    """One row for each two classifiers of a predictions table, with the columns and types of `COLUMNS`.

    Both are judged on the images that both have guessed, `n`. `only_a`, `only_b`: images that this one alone
    names right; `points`: top-1 of a less that of b, in percentage points, and its 95 % bootstrap interval; `p`:
    McNemar's; `p_holm`: the same, adjusted over all rows, for whoever looks through all of them. Classifiers stand in
    the order of the table.
    """
    guesses = predictions.assign(right=predictions["truth"] == predictions["guess"])
    right = {
        (str(features), str(protocol)): group.set_index("name")["right"]
        for (features, protocol), group in guesses.groupby(CLASSIFIER, sort=False)
    }
    generator = np.random.default_rng(seed)
    rows = [
        {**_names(a, b), **_compare(*_common(right[a], right[b]), resamples, generator)}
        for a, b in combinations(right, 2)
        if len(right[a].index.intersection(right[b].index))
    ]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    return table.assign(p_holm=holm(table["p"].tolist())).astype(COLUMNS)


def bootstrap_points(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], resamples: int, generator: np.random.Generator
) -> tuple[float, float]:
    """95 % percentile interval of top-1 of a less that of b, in percentage points, over resampled images.

    right_a, right_b (N,) bool: of the same images, which are drawn with replacement, both guesses together.
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    n = len(right_a)
    only_a, only_b = float(np.mean(right_a & ~right_b)), float(np.mean(right_b & ~right_a))
    # Of N images drawn with replacement, how many are right for a alone and for b alone is multinomial: the
    # counts can be drawn at once, and no table of `resamples` by N image numbers is needed.
    drawn = generator.multinomial(n, [only_a, only_b, max(0.0, 1 - only_a - only_b)], size=resamples)
    low, high = np.quantile(100 * (drawn[:, 0] - drawn[:, 1]) / n, [0.025, 0.975])
    return float(low), float(high)


def _names(a: tuple[str, str], b: tuple[str, str]) -> dict[str, str]:
    return {"features_a": a[0], "protocol_a": a[1], "features_b": b[0], "protocol_b": b[1]}


def _common(a: "pd.Series[bool]", b: "pd.Series[bool]") -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    names = a.index.intersection(b.index)
    return a.loc[names].to_numpy(np.bool_), b.loc[names].to_numpy(np.bool_)


def _compare(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    low, high = bootstrap_points(right_a, right_b, resamples, generator)
    return {
        "n": len(right_a),
        "only_a": only_a,
        "only_b": only_b,
        "points": 100 * (only_a - only_b) / len(right_a),
        "points_low": low,
        "points_high": high,
        "p": mcnemar(right_a, right_b),
    }
