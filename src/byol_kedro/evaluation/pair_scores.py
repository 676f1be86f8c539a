"""How well distances predict the target of test pairs, beside two references that need no network."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.pair_model import PairModel
from byol_kedro.evaluation.pairs import PairSet

PAIR_MODEL, MEAN, RAW_DISTANCE = "pair model", "mean of train", "raw feature distance"

Values = NDArray[np.float64]


def predict_pairs(model: PairModel, train: PairSet, test: PairSet) -> pd.DataFrame:
    """One row a test pair: `target` and what each model says of it, in units of the mean training target.

    Columns, float64: target, `pair model` (the distance of the latent vectors), `mean of train` (1 by
    definition of the unit), `raw feature distance` (of the standardised features, times the one factor with
    the least absolute deviation on the training pairs).
    """
    raw = {name: _distances(model.scaler(pairs.features), pairs) for name, pairs in (("train", train), ("test", test))}
    factor = _least_absolute_factor(raw["train"], train.target * model.target_scale)
    return pd.DataFrame(
        {
            "target": test.target * model.target_scale,
            PAIR_MODEL: _distances(model.vectors(test.features), test),
            MEAN: np.ones(len(test.target)),
            RAW_DISTANCE: factor * raw["test"],
        }
    )


def score_rows(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each model of `predict_pairs`: model, l1, spearman, r2, n.

    l1: mean absolute difference in units of the mean training target; r2: 1 − squared error / that of the
    mean of these targets. What is not defined is None: spearman of a constant, r2 of a constant target, all
    three of no pairs.
    """
    target = predictions["target"].to_numpy()
    rows = []
    for model in (PAIR_MODEL, MEAN, RAW_DISTANCE):
        guess = predictions[model].to_numpy()
        rows.append(
            {
                "model": model,
                "l1": float(np.abs(guess - target).mean()) if len(target) else None,
                "spearman": _spearman(guess, target),
                "r2": _r2(guess, target),
                "n": len(target),
            }
        )
    return rows


def _distances(vectors: NDArray[np.float32], pairs: PairSet) -> Values:
    """(N, D) → (P,) float64, in pieces: the differences of all pairs would be larger than the features."""
    distances = np.empty(len(pairs.left))
    for start in range(0, len(distances), 4096):
        rows = slice(start, start + 4096)
        distances[rows] = np.linalg.norm(vectors[pairs.left[rows]] - vectors[pairs.right[rows]], axis=1)
    return distances


def _least_absolute_factor(distance: Values, target: Values) -> float:
    """The a ≥ 0 that minimises Σ |a·distance − target|: the median of target/distance, weighted by distance."""
    apart = distance > 0
    if not apart.any():
        return 0.0
    ratio, weight = target[apart] / distance[apart], distance[apart]
    order = np.argsort(ratio)
    below = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(below, below[-1] / 2)])


def _spearman(guess: Values, target: Values) -> float | None:
    if len(target) < 2 or np.ptp(guess) == 0 or np.ptp(target) == 0:
        return None
    return float(pd.Series(guess).corr(pd.Series(target), method="spearman"))


def _r2(guess: Values, target: Values) -> float | None:
    if len(target) < 2 or np.ptp(target) == 0:
        return None
    return float(1 - np.square(guess - target).sum() / np.square(target - target.mean()).sum())
