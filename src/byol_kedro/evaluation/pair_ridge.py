"""A ridge regression of the target on |f1 − f2|, the absolute difference of two pictures' features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.pairs import PairSet, Values, pieces

# Of the penalty, in units of the mean eigenvalue of the covariance of |f1 − f2|.
STRENGTHS = tuple(10.0**power for power in range(-4, 3))
UNCHOSEN = 0.01  # without validation pairs

Scale = NDArray[np.float32]


@dataclass(frozen=True)
class Ridge:
    """target = intercept + (|f1 − f2| / scale − centre) · weights; scale, centre, weights: (D,)."""

    scale: Scale
    centre: Values
    weights: Values
    intercept: float

    def __call__(self, pairs: PairSet) -> Values:
        """(P,) float64."""
        guess = np.empty(len(pairs.left))
        for rows in pieces(len(guess)):
            guess[rows] = self.intercept + (_difference(pairs, rows, self.scale) - self.centre) @ self.weights
        return guess


def best_ridge(train: PairSet, validation: PairSet, scale: Scale) -> Ridge:
    """The one of `STRENGTHS` with the least mean absolute error on the validation pairs.

    scale: (D,), the standard deviation of each feature.
    """
    if not len(validation.target):
        return fit_ridges(train, scale, (UNCHOSEN,))[0]
    fitted = fit_ridges(train, scale, STRENGTHS)
    return min(fitted, key=lambda ridge: float(np.abs(ridge(validation) - validation.target).mean()))


def fit_ridges(pairs: PairSet, scale: Scale, strengths: tuple[float, ...]) -> list[Ridge]:
    """Minimise Σ (guess − target)² + P · strength · (mean eigenvalue) · ‖weights‖², for each strength.

    Hoerl, Kennard, Technometrics 12 (1970), 55-67, equation 2.1. Only sums over the pairs are held.
    """
    count, dim = len(pairs.left), pairs.features.shape[1]
    total, gram, cross = np.zeros(dim), np.zeros((dim, dim)), np.zeros(dim)
    intercept = float(pairs.target.mean())
    for rows in pieces(count):
        difference = _difference(pairs, rows, scale)
        total += difference.sum(axis=0)
        gram += difference.T @ difference
        cross += difference.T @ (pairs.target[rows] - intercept)
    centre = total / count
    values, axes = np.linalg.eigh(gram - count * np.outer(centre, centre))
    unit = max(float(values.mean()), np.finfo(np.float64).tiny)
    turned = axes.T @ cross
    return [Ridge(scale, centre, axes @ (turned / (values.clip(0) + s * unit)), intercept) for s in strengths]


def _difference(pairs: PairSet, rows: slice, scale: Scale) -> Values:
    x = pairs.features
    return np.abs(x[pairs.left[rows]].astype(np.float64) - x[pairs.right[rows]]) / scale
