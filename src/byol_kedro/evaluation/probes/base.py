"""The registry of probes, `PROBES`, and what they have in common.

A probe is a classifier on frozen features: an entry of the registry and a module `evaluation/probes/<name>.py` with two
functions, which `Probe.fit` and `Probe.predict` import when they are first needed. This module imports neither torch
nor scikit-learn, since `byol_kedro.parameters` takes the parameter models from here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from byol_kedro.parameter_types import Block, LearningRate, NonNegative, PositiveInt

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

# scikit-learn's inverse strength of the regularization. Smaller values give coefficients of 0 in float32, and from
# 1e-45 on warnings.
InverseStrength = Annotated[float, Field(ge=1e-9)]
ValidationFraction = Annotated[float, Field(gt=0, lt=1)]
# Names of the arrays of a linear layer, and of two, on standardized features.
LINEAR = ("mean", "scale", "weight", "bias")
ONE_HIDDEN_LAYER = ("mean", "scale", "hidden.weight", "hidden.bias", "output.weight", "output.bias")


class Knn(Block):
    """k nearest neighbors, every neighbor with one vote."""

    neighbors: PositiveInt


class KnnWeighted(Block):
    """k nearest neighbors that vote with exp(similarity / `temperature`)."""

    neighbors: PositiveInt
    temperature: PositiveFloat


class LinearAdam(Block):
    """One linear layer trained with Adam, as in the published STL-10 table; the last epoch counts.

    It is fitted with `seeds` seeds at once. The tables show the first one.
    """

    lr: LearningRate
    batch_size: PositiveInt
    epochs: PositiveInt
    seeds: PositiveInt


class LinearSgd(Block):
    """One linear layer trained with SGD; the learning rate is the best of `lrs` on a validation part of train."""

    lrs: Annotated[list[LearningRate], Field(min_length=1)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    batch_size: PositiveInt
    epochs: PositiveInt
    validation: ValidationFraction


class Logistic(Block):
    """scikit-learn's logistic regression; C is the best of `cs` on a validation part of train."""

    cs: Annotated[list[InverseStrength], Field(min_length=1)]
    validation: ValidationFraction


class Mlp(Block):
    """One hidden layer; training stops after `patience` epochs without a better validation top-1."""

    hidden_dim: PositiveInt
    lr: LearningRate
    weight_decay: NonNegative
    batch_size: PositiveInt
    epochs: PositiveInt
    patience: PositiveInt
    validation: ValidationFraction


@dataclass(frozen=True)
class FittedProbe:
    """What `fit` returns.

    Attributes:
        arrays: All arrays that `predict` needs.
        chosen: Hyperparameters that were chosen on a validation part of the training images, never on test images.
        repeats: Arrays of the same probe fitted with further seeds.
    """

    arrays: Arrays
    chosen: dict[str, float] = field(default_factory=dict)
    repeats: tuple[Arrays, ...] = ()


@dataclass(frozen=True)
class ProbeResult:
    """A fitted probe and what it predicts for the test images.

    Attributes:
        probabilities: (M, n_classes) float32, rows sum to 1.
        arrays: See `FittedProbe`.
        chosen: See `FittedProbe`.
        repeats: Probabilities by the same probe fitted with further seeds.
    """

    probabilities: Features
    arrays: Arrays = field(default_factory=dict)
    chosen: dict[str, float] = field(default_factory=dict)
    repeats: tuple[Features, ...] = ()


@dataclass(frozen=True)
class Probe:
    """An entry of the registry.

    Attributes:
        name: Name of the module, of the block in `probes`, and of the probe in every table (column `protocol`).
        label: Name of the classifier in tables and figures.
        parameters: Model of its block in `probes`.
        arrays: Names of the arrays that are saved in the artifact `probes`. Empty for a probe that is fitted again from
            the training features instead.
        remedy: What to change when the probabilities are not finite.
        variant: Distinguishes probes with the same label.
    """

    name: str
    label: str
    parameters: type[Block]
    arrays: tuple[str, ...]
    remedy: str
    variant: str = ""

    @property
    def title(self) -> str:
        """The label with its variant, such as `logistic regression (Adam)`."""
        return f"{self.label} ({self.variant})" if self.variant else self.label

    @property
    def fit(self) -> Callable[..., FittedProbe]:
        """`fit(x, y, n_classes, params, seed) -> FittedProbe` of the module: x (N, D) float32, y (N,) int64."""
        function: Callable[..., FittedProbe] = import_module(f"{__package__}.{self.name}").fit
        return function

    @property
    def predict(self) -> Callable[..., Features]:
        """`predict(x, arrays)` of the module: probabilities (M, n_classes) float32 of features x (M, D) float32."""
        function: Callable[..., Features] = import_module(f"{__package__}.{self.name}").predict
        return function


# In the order of the tables.
PROBES: dict[str, Probe] = {
    probe.name: probe
    for probe in (
        Probe("logistic", "logistic regression", Logistic, LINEAR, "lower probes.logistic.cs"),
        Probe("linear_adam", "logistic regression", LinearAdam, LINEAR, "lower probes.linear_adam.lr", "Adam"),
        Probe("linear_sgd", "logistic regression", LinearSgd, LINEAR, "lower probes.linear_sgd.lrs", "SGD"),
        Probe("mlp", "MLP", Mlp, ONE_HIDDEN_LAYER, "lower probes.mlp.lr or probes.mlp.weight_decay"),
        Probe("knn", "kNN", Knn, (), "run the pipeline extract again"),
        Probe("knn_weighted", "kNN", KnnWeighted, (), "raise probes.knn_weighted.temperature", "weighted"),
    )
}


def probe_names() -> tuple[str, ...]:
    """Names of all probes in the order in which they are fitted, which does not depend on that of the tables."""
    return tuple(sorted(PROBES))


@np.errstate(over="ignore", invalid="ignore")  # the caller checks the result
def softmax(logits: Features) -> Features:
    """Probabilities (M, n_classes) float32 of logits (M, n_classes); a logit of -inf gives 0."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def stratified_split(y: Labels, fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the rows of labels y (N,) int64 into a part to fit on and a part to validate on.

    `fraction` of each class, rounded, is held out for validation: at least one image, and at least one remains to fit
    on. If every class has a single image, nothing can be held out and both parts are all rows.

    Returns:
        Row numbers to fit on and row numbers to validate on.
    """
    generator = np.random.default_rng(seed)
    held_out: list[NDArray[np.int64]] = []
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        held_out.append(rows[: min(max(1, round(fraction * len(rows))), len(rows) - 1)])
    validation = np.sort(np.concatenate(held_out))
    fit = np.setdiff1d(np.arange(len(y)), validation)
    return (fit, validation) if len(validation) else (fit, fit)
