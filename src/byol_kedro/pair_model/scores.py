"""Scores of predicted targets, with bootstrap intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.pair_model.baselines import MODELS, PAIR_MODEL
from byol_kedro.pair_model.pairs import Values

RESAMPLES = 1_000  # chosen: 25 resamples lie beyond each end of a 95 % interval
SCORES = ("l1", "spearman", "r2")

Scores = dict[str, float | None]
Scorer = Callable[[Values], Scores]


def score_rows(predictions: pd.DataFrame, unit: float, seed: int, resamples: int = RESAMPLES) -> list[dict[str, Any]]:
    """Score each of `MODELS` on the test pairs.

    Intervals are 95 % percentile intervals over resamples of the pairs with replacement, the same for all models
    (Efron and Tibshirani, An Introduction to the Bootstrap (1993), §13.3).

    Args:
        predictions: table returned by `predict_pairs`.
        unit: unit of l1, usually the mean target of the train pairs.
        seed: seed of the resampling.
        resamples: number of resamples.

    Returns:
        For each model: model, n, then each score with `…_low` and `…_high`. l1 is the mean absolute error in units of
        `unit`; spearman is the rank correlation; r2 is 1 − squared error / squared error of the mean of these targets;
        l1_behind is the difference to the l1 of the pair model. A score is None where it is undefined: spearman of a
        constant, r2 of a constant target, l1 in units of 0, every score without pairs. The interval of a single pair is
        None too.
    """
    generator = np.random.default_rng(seed)
    target = predictions["target"].to_numpy()
    n = len(target)
    scorers = {model: make_scorer(predictions[model].to_numpy(), target, unit) for model in MODELS}
    found = _all_scores(scorers, np.ones(n))
    drawn = []
    for _ in range(resamples if n > 1 else 0):
        weight = np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)
        drawn.append(_all_scores(scorers, weight))
    return [
        {"model": model, "n": n, **_with_intervals(found[model], [draw[model] for draw in drawn])} for model in MODELS
    ]


def make_scorer(predicted: Values, target: Values, unit: float) -> Scorer:
    """Scores of predictions (P,) as a function of the weight of each pair (P,)."""
    error = np.abs(predicted - target)
    predicted_rank, target_rank = _ranker(predicted), _ranker(target)

    def scores(weight: Values) -> Scores:
        total = weight.sum()
        if not total:
            return dict.fromkeys(SCORES)
        spread = target - weight @ target / total
        # The mean of equal numbers may differ from them by rounding, so their squared deviations may not be 0.
        varies = np.ptp(target[weight > 0]) > 0
        squares = weight @ spread**2
        return {
            "l1": float(weight @ error / total / unit) if unit > 0 else None,
            "spearman": _correlation(predicted_rank(weight), target_rank(weight), weight),
            "r2": float(1 - weight @ error**2 / squares) if varies and squares > 0 else None,
        }

    return scores


def _all_scores(scorers: Mapping[str, Scorer], weight: Values) -> dict[str, Scores]:
    scores = {model: score(weight) for model, score in scorers.items()}
    best = scores[PAIR_MODEL]["l1"]
    for row in scores.values():
        row["l1_behind"] = None if row["l1"] is None or best is None else row["l1"] - best
    return scores


def _with_intervals(found: Scores, drawn: Sequence[Scores]) -> Scores:
    row: Scores = {}
    for name, value in found.items():
        values = [other for draw in drawn if (other := draw[name]) is not None]
        low, high = map(float, np.quantile(values, [0.025, 0.975])) if values else (None, None)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row


def _ranker(values: Values) -> Callable[[Values], Values]:
    """The mid-ranks of `values` as a function of their weights; sorted once for all resamples."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)

    def ranks(weight: Values) -> Values:
        total = np.bincount(place, weight, len(counts))
        middle = np.cumsum(total) - total / 2
        return np.asarray(middle[place])

    return ranks


def _correlation(x: Values, y: Values, weight: Values) -> float | None:
    """Weighted Pearson correlation, None if an input is constant."""
    total = weight.sum()
    x, y = x - weight @ x / total, y - weight @ y / total
    spread = (weight @ x**2) * (weight @ y**2)
    return float(weight @ (x * y) / spread**0.5) if spread > 0 else None
