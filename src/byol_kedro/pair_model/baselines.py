"""What the pair model says of test pairs, beside references that need no network."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]  # it ships no types

from byol_kedro.byol.finite import check_finite
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pair_model.pairs import PairSet, Pool, Values, pieces

Features = NDArray[np.float32]

PAIR_MODEL, MEAN, RAW, PCA_16, RIDGE = (
    "pair model",
    "mean of train",
    "distance of features",
    "distance of PCA 16",
    "ridge on |f1 − f2|",
)
MODELS = (PAIR_MODEL, MEAN, RAW, PCA_16, RIDGE)
COMPONENTS = 16
STEEPEST = 10  # slopes that are looked at, in standard deviations of the target a standard deviation of the distance
# Of the penalty, in units of the mean eigenvalue of the covariance of |f1 − f2|.
STRENGTHS = tuple(10.0**power for power in range(-4, 3))
UNCHOSEN = 0.01  # without validation pairs

Scale = NDArray[np.float32]


@np.errstate(over="ignore", invalid="ignore")  # all guesses are looked at in the end
def predict_pairs(model: PairModel, pool: Pool, train: PairSet, validation: PairSet, test: PairSet) -> pd.DataFrame:
    """One row a test pair, float64 and in the target's own unit: `target`, what each of `MODELS` says, `difference`.

    `difference` is |pair model − target|. Distances of features and of their first 16 principal components are
    taken to the target by the straight line with the least absolute deviation on the training pairs; the ridge is a
    regression on the absolute difference of the two images' features, its strength chosen on the validation
    pairs. Features are standardized, and the components found, on the train images of `pool`.
    """
    scaler = pool.scaler
    axes = _principal_axes(pool.train, scaler)
    raw = tuple(distances(pairs.features, pairs, scaler.scale) for pairs in (train, test))
    reduced = tuple(distances(pairs.features @ axes, pairs) for pairs in (train, test))
    guesses = {
        PAIR_MODEL: model.target_offset + distances(model.vectors(test.features), test) / model.target_scale,
        MEAN: np.full(len(test.target), train.target.mean()),
        RAW: _on_a_line(raw, train.target),
        PCA_16: _on_a_line(reduced, train.target),
        RIDGE: best_ridge(train, validation, scaler.scale)(test),
    }
    check_finite(guesses, "guesses of the", "run the pipeline extract again; if it stays, train another encoder")
    table = pd.DataFrame({"target": test.target, **guesses})
    table.insert(2, "difference", (table[PAIR_MODEL] - table["target"]).abs())
    return table


def no_predictions() -> pd.DataFrame:
    """The columns of `predict_pairs` and no rows."""
    names = ["target", PAIR_MODEL, "difference", *MODELS[1:]]
    return pd.DataFrame({name: np.zeros(0) for name in names})


def distances(vectors: Features, pairs: PairSet, scale: Features | None = None) -> Values:
    """Euclidean, of vectors (N, D), divided by scale (D,) where there is one: (P,) float64."""
    found = np.empty(len(pairs.left))
    for rows in pieces(len(found)):
        difference = vectors[pairs.left[rows]] - vectors[pairs.right[rows]]
        found[rows] = np.linalg.norm(difference if scale is None else difference / scale, axis=1)
    return found


def _principal_axes(features: Features, scaler: Scaler) -> Features:
    """(D, 16) float32 that take raw features (N, D) to the principal components of the standardized ones.

    Up to a constant, which distances do not see. They are the eigenvectors of the covariance with the largest values.
    """
    covariance = sum(scaler(features[rows]).T @ scaler(features[rows]) for rows in pieces(len(features)))
    _, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors[:, -COMPONENTS:] / scaler.scale[:, None], np.float32)


def _on_a_line(distance: tuple[Values, ...], target: Values) -> Values:
    """Guesses for test pairs from the best line of the training pairs: distances of both (P,), (Q,), target (P,)."""
    train, test = distance
    slope, intercept = least_absolute_line(train, target)
    return intercept + slope * test


def least_absolute_line(distance: Values, target: Values) -> tuple[float, float]:
    """The slope a ≥ 0 and the intercept b that minimize Σ |a·distance + b − target|.

    For a given slope the best intercept is a median, and what is left over is convex in the slope.
    """
    spread = float(distance.std())
    if spread == 0:
        return 0.0, float(np.median(target))

    def left_over(slope: float) -> float:
        rest = target - slope * distance
        return float(np.abs(rest - np.median(rest)).sum())

    steepest = STEEPEST * float(target.std()) / spread
    slope = float(minimize_scalar(left_over, bounds=(0, steepest), method="bounded").x) if steepest else 0.0
    return slope, float(np.median(target - slope * distance))


@dataclass(frozen=True)
class Ridge:
    """target = intercept + (|f1 − f2| / scale − center) · weights; scale, center, weights: (D,)."""

    scale: Scale
    center: Values
    weights: Values
    intercept: float

    def __call__(self, pairs: PairSet) -> Values:
        """(P,) float64."""
        guess = np.empty(len(pairs.left))
        for rows in pieces(len(guess)):
            guess[rows] = self.intercept + (_difference(pairs, rows, self.scale) - self.center) @ self.weights
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
    """Minimize Σ (guess − target)² + P · strength · (mean eigenvalue) · ‖weights‖², for each strength.

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
    center = total / count
    values, axes = np.linalg.eigh(gram - count * np.outer(center, center))
    unit = max(float(values.mean()), np.finfo(np.float64).tiny)
    turned = axes.T @ cross
    return [Ridge(scale, center, axes @ (turned / (values.clip(0) + s * unit)), intercept) for s in strengths]


def _difference(pairs: PairSet, rows: slice, scale: Scale) -> Values:
    x = pairs.features
    return np.abs(x[pairs.left[rows]].astype(np.float64) - x[pairs.right[rows]]) / scale
