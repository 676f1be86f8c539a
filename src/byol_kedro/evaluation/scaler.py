"""Standardization by the mean and standard deviation of the training images."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features

COLUMNS = 64
# Smallest deviation to divide by: below it squares underflow in float32, and quotients may overflow.
SMALLEST = 1e-19


@dataclass(frozen=True)
class Scaler:
    """`mean` and `scale` (D,) float32; `scale` is the standard deviation, or 1 for a constant feature."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, x: Features) -> Self:
        """A scaler with the mean and standard deviation (divided by N, as in scikit-learn) of the rows of x (N, D)."""
        mean, deviation, varies = _moments(x)
        return cls(mean.astype(np.float32), np.where(varies, deviation, 1.0).astype(np.float32))

    def __call__(self, x: Features) -> Features:
        """Standardize x (N, D) float32."""
        standardized = x - self.mean
        standardized /= self.scale
        return np.asarray(standardized, np.float32)


def is_constant(x: Features) -> bool:
    """Whether no feature varies over the rows of x (N, D); False for a single row."""
    return len(x) > 1 and not _moments(x)[2].any()


def constant_features_message(name: str, count: int) -> str:
    """Error message for constant features of `count` training images by the network `name`."""
    return (
        f"{name} gives the same features for all {count:,} training images, so nothing can be learned from them: "
        "are the images all the same?"
    )


def _moments(x: Features) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Mean and standard deviation of each feature of x (N, D), and whether it varies."""
    # In blocks of columns: the squares of all columns at once would take twice the memory of the features.
    blocks = [x[:, start : start + COLUMNS] for start in range(0, x.shape[1], COLUMNS)]
    mean = np.concatenate([block.mean(axis=0, dtype=np.float64) for block in blocks])
    deviation = np.concatenate([block.std(axis=0, dtype=np.float64) for block in blocks])
    # A deviation below the resolution of float32 at the mean is a rounding error; dividing by it would amplify noise.
    return mean, deviation, deviation > np.maximum(np.finfo(np.float32).eps * np.abs(mean), SMALLEST)
