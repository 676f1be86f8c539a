"""Predictions of the pair model on test pairs, and of baselines that need no network."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]  # it ships no types

from byol_kedro.byol.finite import check_finite
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pair_model.pairs import ImagePool, PairSet, Values, chunks

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
MAX_SLOPE = 10  # in standard deviations of the target per standard deviation of the distance
# Penalties of the ridge, in units of the mean eigenvalue of the covariance of |f1 − f2|.
RIDGE_STRENGTHS = tuple(10.0**power for power in range(-4, 3))
DEFAULT_STRENGTH = 0.01  # used without validation pairs

Scale = NDArray[np.float32]


@np.errstate(over="ignore", invalid="ignore")  # all predictions are checked at the end
def predict_pairs(
    model: PairModel, pool: ImagePool, train: PairSet, validation: PairSet, test: PairSet
) -> pd.DataFrame:
    """Predict the target of the test pairs with each of `MODELS`.

    Distances of features, and of their first 16 principal components, are mapped to the target by the straight line
    with the least absolute deviation on the train pairs. The ridge regression has |f1 − f2| as input; its strength is
    selected on the validation pairs. Scaler and components are fitted on the train images of `pool`.

    Args:
        model: the fitted pair model.
        pool: provides scaler and train images.
        train: pairs that the baselines are fitted to, at least one.
        validation: pairs that the strength of the ridge is selected on, may be empty.
        test: pairs to predict.

    Returns:
        One row for each test pair, float64 in the unit of the target: `target`, a column for each of `MODELS`, and
        `difference`, which is |pair model − target|.

    Raises:
        NotFiniteError: a prediction is not finite.
    """
    scaler = pool.scaler
    axes = _principal_axes(pool.train, scaler)
    raw = tuple(pair_distances(pairs.features, pairs, scaler.scale) for pairs in (train, test))
    reduced = tuple(pair_distances(pairs.features @ axes, pairs) for pairs in (train, test))
    predictions = {
        PAIR_MODEL: model.target_offset + pair_distances(model.embed(test.features), test) / model.target_scale,
        MEAN: np.full(len(test.target), train.target.mean()),
        RAW: _predict_on_line(raw, train.target),
        PCA_16: _predict_on_line(reduced, train.target),
        RIDGE: select_ridge(train, validation, scaler.scale)(test),
    }
    check_finite(
        predictions, "predictions of the", "run the pipeline extract again; if the error remains, train another encoder"
    )
    table = pd.DataFrame({"target": test.target, **predictions})
    table.insert(2, "difference", (table[PAIR_MODEL] - table["target"]).abs())
    return table


def empty_predictions() -> pd.DataFrame:
    """The columns of `predict_pairs` without rows."""
    names = ["target", PAIR_MODEL, "difference", *MODELS[1:]]
    return pd.DataFrame({name: np.zeros(0) for name in names})


def pair_distances(vectors: Features, pairs: PairSet, scale: Features | None = None) -> Values:
    """Euclidean distances (P,) float64 of the pairs' vectors (N, D), which are divided by `scale` (D,) if given."""
    found = np.empty(len(pairs.left))
    for rows in chunks(len(found)):
        difference = vectors[pairs.left[rows]] - vectors[pairs.right[rows]]
        found[rows] = np.linalg.norm(difference if scale is None else difference / scale, axis=1)
    return found


def _principal_axes(features: Features, scaler: Scaler) -> Features:
    """Projection (D, 16) float32 of raw features (N, D) to the principal components of the standardized features.

    Components are shifted by a constant, which does not affect distances. The axes are the eigenvectors of the
    covariance with the largest eigenvalues.
    """
    covariance = sum(scaler(features[rows]).T @ scaler(features[rows]) for rows in chunks(len(features)))
    _, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors[:, -COMPONENTS:] / scaler.scale[:, None], np.float32)


def _predict_on_line(distance: tuple[Values, ...], target: Values) -> Values:
    """Predictions (Q,) for test pairs by the line fitted to the train pairs.

    distance: those of the train pairs (P,) and of the test pairs (Q,); target: (P,), of the train pairs.
    """
    train, test = distance
    slope, intercept = fit_lad_line(train, target)
    return intercept + slope * test


def fit_lad_line(distance: Values, target: Values) -> tuple[float, float]:
    """Least absolute deviation fit: the slope a ≥ 0 and the intercept b that minimize Σ |a·distance + b − target|.

    For a given slope the best intercept is a median, and the remaining loss is convex in the slope.
    """
    spread = float(distance.std())
    if spread == 0:
        return 0.0, float(np.median(target))

    def loss(slope: float) -> float:
        rest = target - slope * distance
        return float(np.abs(rest - np.median(rest)).sum())

    highest = MAX_SLOPE * float(target.std()) / spread
    slope = float(minimize_scalar(loss, bounds=(0, highest), method="bounded").x) if highest else 0.0
    return slope, float(np.median(target - slope * distance))


@dataclass(frozen=True)
class Ridge:
    """target = intercept + (|f1 − f2| / scale − center) · weights, where scale, center and weights are (D,)."""

    scale: Scale
    center: Values
    weights: Values
    intercept: float

    def __call__(self, pairs: PairSet) -> Values:
        """Predicted targets (P,) float64."""
        predicted = np.empty(len(pairs.left))
        for rows in chunks(len(predicted)):
            predicted[rows] = self.intercept + (_difference(pairs, rows, self.scale) - self.center) @ self.weights
        return predicted


def select_ridge(train: PairSet, validation: PairSet, scale: Scale) -> Ridge:
    """The ridge regression with the lowest mean absolute error on the validation pairs among `RIDGE_STRENGTHS`.

    Args:
        train: pairs to fit.
        validation: pairs to select on; `DEFAULT_STRENGTH` is used without any.
        scale: (D,), the standard deviation of each feature.
    """
    if not len(validation.target):
        return fit_ridges(train, scale, (DEFAULT_STRENGTH,))[0]
    fitted = fit_ridges(train, scale, RIDGE_STRENGTHS)
    return min(fitted, key=lambda ridge: float(np.abs(ridge(validation) - validation.target).mean()))


def fit_ridges(pairs: PairSet, scale: Scale, strengths: tuple[float, ...]) -> list[Ridge]:
    """Minimize Σ (prediction − target)² + P · strength · (mean eigenvalue) · ‖weights‖² for each strength.

    Hoerl, Kennard, Technometrics 12 (1970), 55-67, equation 2.1. Only sums over the pairs are kept in memory.
    """
    count, dim = len(pairs.left), pairs.features.shape[1]
    total, gram, cross = np.zeros(dim), np.zeros((dim, dim)), np.zeros(dim)
    intercept = float(pairs.target.mean())
    for rows in chunks(count):
        difference = _difference(pairs, rows, scale)
        total += difference.sum(axis=0)
        gram += difference.T @ difference
        cross += difference.T @ (pairs.target[rows] - intercept)
    center = total / count
    values, axes = np.linalg.eigh(gram - count * np.outer(center, center))
    unit = max(float(values.mean()), np.finfo(np.float64).tiny)
    rotated = axes.T @ cross
    return [Ridge(scale, center, axes @ (rotated / (values.clip(0) + s * unit)), intercept) for s in strengths]


def _difference(pairs: PairSet, rows: slice, scale: Scale) -> Values:
    x = pairs.features
    return np.abs(x[pairs.left[rows]].astype(np.float64) - x[pairs.right[rows]]) / scale
