"""What every classifier returns."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Fit:
    """A fitted classifier, seen through the test pictures.

    `probabilities` (M, n_classes) float32, rows sum to one. `weights`: all arrays that the classifier needs
    to be used again, the scaler's `mean` and `scale` (D,) among them; none for kNN, which needs its training
    features. `chosen`: what was decided on a held-out part of the training pictures, never on test. `repeats`:
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
