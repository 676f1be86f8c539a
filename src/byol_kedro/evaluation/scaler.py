"""Standardization that knows the training images only."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features

COLUMNS = 64
# Of a deviation: below it squares of float32 are lost, and a number divided by it may be too large to reckon with.
SMALLEST = 1e-19


@dataclass(frozen=True)
class Scaler:
    """`mean` and `scale` (D,) float32; `scale` is the standard deviation, 1 where a feature never varies."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, x: Features) -> Self:
        """Mean and standard deviation (divided by N, as scikit-learn does) of x (N, D) over its rows."""
        mean, deviation, varies = _moments(x)
        return cls(mean.astype(np.float32), np.where(varies, deviation, 1.0).astype(np.float32))

    def __call__(self, x: Features) -> Features:
        """x (N, D) float32, standardized."""
        standardized = x - self.mean
        standardized /= self.scale
        return np.asarray(standardized, np.float32)


def constant(x: Features) -> bool:
    """Whether not one feature varies over the rows of x (N, D); a single row says nothing."""
    return len(x) > 1 and not _moments(x)[2].any()


def constant_words(name: str, count: int) -> str:
    """What to say where features of `count` training images by the network `name` are `constant`."""
    return (
        f"{name} gives all {count:,} training images the same features, from which nothing can be learned: "
        "are the images all the same?"
    )


def _moments(x: Features) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Mean and standard deviation of each feature of x (N, D), and whether it varies."""
    # Some columns at a time: the squares of all of them would take twice the memory of the features.
    blocks = [x[:, start : start + COLUMNS] for start in range(0, x.shape[1], COLUMNS)]
    mean = np.concatenate([block.mean(axis=0, dtype=np.float64) for block in blocks])
    deviation = np.concatenate([block.std(axis=0, dtype=np.float64) for block in blocks])
    # A deviation below float32's resolution at the mean is rounding: dividing by it would blow noise up.
    return mean, deviation, deviation > np.maximum(np.finfo(np.float32).eps * np.abs(mean), SMALLEST)
