"""Standardisation that knows the training pictures only."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.fit import Features

COLUMNS = 64


@dataclass(frozen=True)
class Scaler:
    """`mean` and `scale` (D,) float32; `scale` is the standard deviation, 1 where a feature never varies."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, x: Features) -> Self:
        """Mean and standard deviation (divided by N, as scikit-learn does) of x (N, D) over its rows."""
        # Some columns at a time: the squares of all of them would take twice the memory of the features.
        blocks = [x[:, start : start + COLUMNS] for start in range(0, x.shape[1], COLUMNS)]
        mean = np.concatenate([block.mean(axis=0, dtype=np.float64) for block in blocks])
        deviation = np.concatenate([block.std(axis=0, dtype=np.float64) for block in blocks])
        # A deviation below float32's resolution at the mean is rounding: dividing by it would blow noise up.
        varies = deviation > np.finfo(np.float32).eps * np.abs(mean)
        return cls(mean.astype(np.float32), np.where(varies, deviation, 1.0).astype(np.float32))

    def __call__(self, x: Features) -> Features:
        """x (N, D) float32, standardised."""
        standardised = x - self.mean
        standardised /= self.scale
        return np.asarray(standardised, np.float32)
