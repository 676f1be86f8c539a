"""What every classifier takes and returns."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """A fitted classifier, seen through the test images.

    `probabilities` (M, n_classes) float32, rows sum to one. `weights`: all arrays that the classifier needs
    to be used again, the scaler's `mean` and `scale` (D,) among them; none for kNN, which needs its training
    features. `chosen`: what was decided on a held-out part of the training images, never on test. `repeats`:
    the probabilities of the same classifier with further seeds, where it was fitted several times.
    """

    probabilities: Features
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    chosen: dict[str, float] = field(default_factory=dict)
    repeats: tuple[Features, ...] = ()


@np.errstate(over="ignore", invalid="ignore")  # who calls it looks at the result
def softmax(logits: Features) -> Features:
    """Probabilities (M, n_classes) float32 of logits (M, n_classes); a logit of -inf gives 0."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def stratified_split(y: Labels, fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to fit on and row numbers to choose on, for labels y (N,) int64.

    Each class gives `fraction` of its images to choose on, rounded, at least one, and keeps at least one to
    fit on. Where every class has a single image nothing can be held out, and both parts are all rows.
    """
    generator = np.random.default_rng(seed)
    held: list[NDArray[np.int64]] = []
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        held.append(rows[: min(max(1, round(fraction * len(rows))), len(rows) - 1)])
    choose = np.sort(np.concatenate(held))
    fit = np.setdiff1d(np.arange(len(y)), choose)
    return (fit, choose) if len(choose) else (fit, fit)
