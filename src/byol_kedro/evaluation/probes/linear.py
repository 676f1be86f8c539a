"""A linear layer on standardized features: how it starts and how its saved weights are used."""

import numpy as np
import torch
from numpy.typing import NDArray

from byol_kedro.evaluation.probes.base import Features, softmax
from byol_kedro.evaluation.scaler import Scaler


def start_linear(inputs: int, outputs: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (outputs, inputs) and bias (outputs,) float32, drawn as `torch.nn.Linear` does, in this order.

    Both are uniform within ±1/√inputs.
    """
    bound = inputs**-0.5
    weight = torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator)
    return weight, torch.empty(outputs).uniform_(-bound, bound, generator=generator)


@np.errstate(over="ignore", invalid="ignore")  # who calls it looks at the result
def linear_probabilities(x: Features, weights: dict[str, NDArray[np.float32]]) -> Features:
    """Class probabilities (M, n_classes) float32 of raw features x (M, D), by a linear `Fit.weights`."""
    standardized = Scaler(weights["mean"], weights["scale"])(x)
    return softmax(standardized @ weights["weight"].T + weights["bias"])
