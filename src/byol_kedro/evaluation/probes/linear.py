"""A linear layer on standardized features: initialization, bias column and prediction."""

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Arrays, Features, softmax
from byol_kedro.evaluation.scaler import Scaler


def init_linear(inputs: int, outputs: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (outputs, inputs) and bias (outputs,) float32, drawn in this order as `torch.nn.Linear` does.

    Both are uniform within ±1/√inputs.
    """
    bound = inputs**-0.5
    weight = torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator)
    return weight, torch.empty(outputs).uniform_(-bound, bound, generator=generator)


def init_layer(inputs: int, outputs: int, generator: torch.Generator) -> torch.Tensor:
    """The layer of `init_linear` as one matrix (outputs, inputs + 1), the bias in the last column."""
    weight, bias = init_linear(inputs, outputs, generator)
    return torch.cat([weight, bias[:, None]], dim=1)


def with_bias_column(x: Features) -> torch.Tensor:
    """Features (N, D) with a last column of ones, (N, D + 1): weight and bias become one matrix."""
    return F.pad(torch.from_numpy(x), (0, 1), value=1.0)


def linear_arrays(scaler: Scaler, layer: torch.Tensor) -> Arrays:
    """`mean`, `scale` (D,), `weight` (C, D) and `bias` (C,) of a layer (C, D + 1) whose last column is the bias."""
    return {
        "mean": scaler.mean,
        "scale": scaler.scale,
        "weight": layer[:, :-1].contiguous().numpy(),
        "bias": layer[:, -1].contiguous().numpy(),
    }


def softmax_layer(model: Any, n_classes: int) -> tuple[Features, Features]:
    """Weight (n_classes, D) and bias (n_classes,) float32 of a fitted linear classifier of scikit-learn.

    The logits of the layer are the decision function of `model`. scikit-learn has rows only for the classes in the
    training data, and a single row for two classes. The bias of a class without training images is -inf.
    """
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    weight = np.zeros((n_classes, coefficients.shape[1]), np.float32)
    bias = np.full(n_classes, -np.inf, np.float32)
    weight[model.classes_], bias[model.classes_] = coefficients, intercepts
    return weight, bias


@np.errstate(over="ignore", invalid="ignore")  # the caller checks the result
def linear_probabilities(x: Features, arrays: Arrays) -> Features:
    """Class probabilities (M, n_classes) float32 of features x (M, D) float32, by the arrays of a linear probe."""
    standardized = Scaler(arrays["mean"], arrays["scale"])(x)
    return softmax(standardized @ arrays["weight"].T + arrays["bias"])
