"""How near guesses come to the target of pairs, and how sure that is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.pair_model.baselines import MODELS, PAIR_MODEL
from byol_kedro.pair_model.pairs import Values

RESAMPLES = 1_000  # chosen: the ends of a 95 % interval then rest on 25 resamples each
SCORES = ("l1", "spearman", "r2")

Scores = dict[str, float | None]
Scorer = Callable[[Values], Scores]


def score_rows(predictions: pd.DataFrame, unit: float, seed: int, resamples: int = RESAMPLES) -> list[dict[str, Any]]:
    """A row for each model of a table of `predict_pairs`: model, n, then each score with the ends of its interval.

    l1: mean absolute difference, in units of `unit`; spearman: rank correlation; r2: 1 − squared error / that of
    the mean of these targets; l1_behind: l1 less that of the pair model. `…_low`, `…_high`: 95 % percentile interval
    over `resamples` draws of the pairs with replacement, the same for all models (Efron and Tibshirani, An
    Introduction to the Bootstrap (1993), §13.3). None is what is not defined: spearman of a constant, r2 of a
    constant target, l1 in units of 0, all of no pairs, and the interval of a single pair.
    """
    generator = np.random.default_rng(seed)
    target = predictions["target"].to_numpy()
    n = len(target)
    scorers = {model: scorer(predictions[model].to_numpy(), target, unit) for model in MODELS}
    found = _all_scores(scorers, np.ones(n))
    drawn = []
    for _ in range(resamples if n > 1 else 0):
        weight = np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)
        drawn.append(_all_scores(scorers, weight))
    return [
        {"model": model, "n": n, **_with_intervals(found[model], [draw[model] for draw in drawn])} for model in MODELS
    ]


def scorer(guess: Values, target: Values, unit: float) -> Scorer:
    """The scores of guesses (P,) as a function of how often each pair counts (P,)."""
    error = np.abs(guess - target)
    guess_rank, target_rank = _ranker(guess), _ranker(target)

    def scores(weight: Values) -> Scores:
        total = weight.sum()
        if not total:
            return dict.fromkeys(SCORES)
        spread = target - weight @ target / total
        # The mean of equal numbers may differ from them by rounding: their squares are then tiny, and not 0.
        varies = np.ptp(target[weight > 0]) > 0
        squares = weight @ spread**2
        return {
            "l1": float(weight @ error / total / unit) if unit > 0 else None,
            "spearman": _correlation(guess_rank(weight), target_rank(weight), weight),
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
    """The mid-ranks of `values` as a function of how often each counts; sorted once for all draws."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)

    def ranks(weight: Values) -> Values:
        heap = np.bincount(place, weight, len(counts))
        middle = np.cumsum(heap) - heap / 2
        return np.asarray(middle[place])

    return ranks


def _correlation(x: Values, y: Values, weight: Values) -> float | None:
    """Pearson's, None of a constant."""
    total = weight.sum()
    x, y = x - weight @ x / total, y - weight @ y / total
    spread = (weight @ x**2) * (weight @ y**2)
    return float(weight @ (x * y) / spread**0.5) if spread > 0 else None
