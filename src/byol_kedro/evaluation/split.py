"""The part of the training pictures on which something is chosen."""

import numpy as np
from numpy.typing import NDArray

from byol_kedro.evaluation.fit import Labels


def stratified_split(y: Labels, fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to fit on and row numbers to choose on, for labels y (N,) int64.

    Each class gives `fraction` of its pictures to choose on, rounded, at least one, and keeps at least one to
    fit on. Where every class has a single picture nothing can be held out, and both parts are all rows.
    """
    generator = np.random.default_rng(seed)
    held: list[NDArray[np.int64]] = []
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        held.append(rows[: min(max(1, round(fraction * len(rows))), len(rows) - 1)])
    choose = np.sort(np.concatenate(held))
    fit = np.setdiff1d(np.arange(len(y)), choose)
    return (fit, choose) if len(choose) else (fit, fit)
