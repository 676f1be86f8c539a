"""What the pair model says of test pairs, beside references that need no network."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]  # it ships no types

from byol_kedro.evaluation.pair_model import PairModel
from byol_kedro.evaluation.pair_ridge import best_ridge
from byol_kedro.evaluation.pairs import PairSet, Pool, Values, pieces
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.finite import check_finite

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


@np.errstate(over="ignore", invalid="ignore")  # all guesses are looked at in the end
def predict_pairs(model: PairModel, pool: Pool, train: PairSet, validation: PairSet, test: PairSet) -> pd.DataFrame:
    """One row a test pair, float64 and in the target's own unit: `target`, what each of `MODELS` says, `difference`.

    `difference` is |pair model − target|. Distances of features and of their first 16 principal components are
    taken to the target by the straight line with the least absolute deviation on the training pairs; the ridge is a
    regression on the absolute difference of the two pictures' features, its strength chosen on the validation
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
    """(D, 16) float32 that take raw features (N, D) to the principal components of the standardised ones.

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
    """The slope a ≥ 0 and the intercept b that minimise Σ |a·distance + b − target|.

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
