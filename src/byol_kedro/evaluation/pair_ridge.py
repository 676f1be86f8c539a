"""A ridge regression of the target on |f1 − f2|, the absolute difference of two pictures' features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.pairs import PairSet, Values, pieces

# Of the penalty, in units of the mean eigenvalue of the covariance of |f1 − f2|.
STRENGTHS = tuple(10.0**power for power in range(-4, 3))
UNCHOSEN = 0.01  # without validation pairs

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Ridge:
    """target = intercept + (|f1 − f2| − centre) · weights; centre, weights: (D,) float64."""

    centre: Values
    weights: Values
    intercept: float

    def __call__(self, x: Features, pairs: PairSet) -> Values:
        """(P,) float64 of the pairs of x (N, D)."""
        guess = np.empty(len(pairs.left))
        for rows in pieces(len(guess)):
            guess[rows] = self.intercept + (_difference(x, pairs, rows) - self.centre) @ self.weights
        return guess


def best_ridge(x: Features, pairs: PairSet, validation_x: Features, validation: PairSet) -> Ridge:
    """The one of `STRENGTHS` with the least mean absolute error on the validation pairs."""
    if not len(validation.target):
        return fit_ridges(x, pairs, (UNCHOSEN,))[0]
    fitted = fit_ridges(x, pairs, STRENGTHS)
    return min(fitted, key=lambda ridge: float(np.abs(ridge(validation_x, validation) - validation.target).mean()))


def fit_ridges(x: Features, pairs: PairSet, strengths: tuple[float, ...]) -> list[Ridge]:
    """Minimise Σ (guess − target)² + P · strength · (mean eigenvalue) · ‖weights‖², for each strength.

    Hoerl, Kennard, Technometrics 12 (1970), 55-67, equation 2.1. Only sums over the pairs are held.
    """
    count, dim = len(pairs.left), x.shape[1]
    total, gram, cross = np.zeros(dim), np.zeros((dim, dim)), np.zeros(dim)
    intercept = float(pairs.target.mean())
    for rows in pieces(count):
        difference = _difference(x, pairs, rows)
        total += difference.sum(axis=0)
        gram += difference.T @ difference
        cross += difference.T @ (pairs.target[rows] - intercept)
    centre = total / count
    values, axes = np.linalg.eigh(gram - count * np.outer(centre, centre))
    scale = max(float(values.mean()), np.finfo(np.float64).tiny)
    turned = axes.T @ cross
    return [Ridge(centre, axes @ (turned / (values.clip(0) + s * scale)), intercept) for s in strengths]


def _difference(x: Features, pairs: PairSet, rows: slice) -> Values:
    return np.abs(x[pairs.left[rows]].astype(np.float64) - x[pairs.right[rows]])
