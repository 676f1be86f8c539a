"""Training of the pair model."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler

from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.evaluation.scaler import SMALLEST, Scaler
from byol_kedro.evaluation.threads import one_thread
from byol_kedro.files.memory import check_memory
from byol_kedro.pair_model.model import PairModel, distance, mlp
from byol_kedro.pair_model.pairs import CHUNK, PairSet, Values

if TYPE_CHECKING:
    from byol_kedro.parameters import PairModelParams

EMBEDDING_DIM = 16
# Distances in 16 dimensions differ little, and the smallest targets are often far above 0. The offset is initialized
# with this quantile of the targets. Measured in docs/results.md: without an offset, SSIM is predicted worse than by
# the mean.
OFFSET_QUANTILE = 0.05
OFFSET = "offset"
HISTORY = ["epoch", "lr", "train_l1", "validation_l1"]

# Called with the epoch and the other columns of the history by name.
OnEpoch = Callable[[int, Mapping[str, float]], None]


def ignore_epoch(_epoch: int, _values: Mapping[str, float]) -> None:
    """Callback that does nothing."""


@one_thread()
def fit_pair_model(
    train: PairSet,
    validation: PairSet,
    scaler: Scaler,
    settings: "PairModelParams",
    seed: int,
    on_epoch: OnEpoch = ignore_epoch,
) -> tuple[PairModel, pd.DataFrame]:
    """Fit the pair model to the train pairs and keep the epoch with the lowest validation loss.

    The loss is the mean of | ‖f(left) − f(right)‖₂ − scale · (target − offset) |, minimized by Adam. Scale and initial
    offset are those of `target_offset_and_scale`; the offset is learned with the weights. In the published model they
    are 1 and 0. Training stops after `pair_model.patience` epochs without a lower validation loss. Without validation
    pairs the last epoch is kept.

    Args:
        train: at least one pair.
        validation: pairs for early stopping, may be empty.
        scaler: standardizes the features; fitted on the train images.
        settings: the parameter block `pair_model`.
        seed: seed of the initial weights and of the order of the pairs.
        on_epoch: called after each epoch.

    Returns:
        The model and a row for each epoch: epoch (from 1), lr of its first step, train_l1 (mean over its steps) and
        validation_l1 (after it), both in the unit of the target.

    Raises:
        NotFiniteError: a loss, or an embedding of a train image, is not finite.
        UserError: the network does not fit into memory.
    """
    offset, scale = target_offset_and_scale(train.target) if settings.scale_target else (0.0, 1.0)
    check_widths(settings, train.features.shape[1])
    generator = torch.Generator().manual_seed(seed)
    weights = _initial_weights([train.features.shape[1], *settings.widths, EMBEDDING_DIM], generator)
    weights[OFFSET] = torch.zeros((), requires_grad=settings.scale_target)
    train_tensors, validation_tensors = (_pair_tensors(pairs, scaler, offset, scale) for pairs in (train, validation))
    rows: list[tuple[int, float, float, float]] = []

    def note(epoch: int, lr: float, train_loss: float, validation_loss: float) -> None:
        rows.append((epoch, lr, train_loss / scale, validation_loss / scale))
        on_epoch(epoch, dict(zip(HISTORY[1:], rows[-1][1:], strict=True)))

    kept = _minimize(weights, train_tensors, validation_tensors, settings, generator, note)
    history = pd.DataFrame(rows, columns=HISTORY)
    arrays = {name: tensor.detach().numpy() for name, tensor in kept.items()}
    offset = float(np.float32(offset + arrays.pop(OFFSET) / scale))
    model = PairModel(arrays, scaler, offset, scale)
    model.embed(train.features)  # raises if the last step has diverged, which no loss shows
    return model, history


def check_widths(settings: "PairModelParams", features: int) -> None:
    """Check that a network of `pair_model.widths` on this number of features fits into memory.

    Raises:
        UserError: it does not.
    """
    widths = [features, *settings.widths, EMBEDDING_DIM]
    check_memory("pair_model.widths", sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths)))


def empty_history() -> pd.DataFrame:
    """The columns of `HISTORY` without rows, for imported weights."""
    return pd.DataFrame(columns=HISTORY).astype({"epoch": "int64"} | dict.fromkeys(HISTORY[1:], "float64"))


def target_offset_and_scale(target: Values) -> tuple[float, float]:
    """Offset and scale that map targets (P,) to a mean of 1.

    The offset is the `OFFSET_QUANTILE` quantile of the targets, and 0 if the targets are constant. Both are rounded to
    float32, in which they are saved.
    """
    offset = float(np.float32(np.quantile(target, OFFSET_QUANTILE)))
    spread = float(target.mean()) - offset
    if spread <= np.finfo(np.float32).eps * abs(offset):
        offset, spread = 0.0, float(target.mean())
    return offset, float(np.float32(1 / spread)) if spread > SMALLEST else 1.0


@dataclass(frozen=True)
class _PairTensors:
    """features (N, D) standardized, pairs (2, P) int64 rows of it, target (P,) scaled."""

    features: Tensor
    pairs: Tensor
    target: Tensor

    def loss(self, weights: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        """Mean over the pairs `batch` (B,)."""
        both = mlp(weights, self.features[self.pairs[:, batch].flatten()])  # (2 B, 16), the left images first
        return F.l1_loss(distance(*both.chunk(2)) + weights[OFFSET], self.target[batch])


def _pair_tensors(pairs: PairSet, scaler: Scaler, offset: float, scale: float) -> _PairTensors:
    return _PairTensors(
        torch.from_numpy(scaler(pairs.features)),
        torch.from_numpy(np.stack([pairs.left, pairs.right])),
        torch.from_numpy(((pairs.target - offset) * scale).astype(np.float32)),
    )


def _minimize(
    weights: dict[str, Tensor],
    train: _PairTensors,
    validation: _PairTensors,
    settings: "PairModelParams",
    generator: torch.Generator,
    note: Callable[[int, float, float, float], None],
) -> dict[str, Tensor]:
    """The weights of the best epoch. `note` is called with epoch, learning rate and both losses after each epoch."""
    optimizer = torch.optim.Adam(list(weights.values()), lr=settings.lr, fused=True)
    steps = settings.epochs * -(-len(train.target) // settings.batch_size)
    cosine = settings.schedule == "cosine"
    schedule = CosineAnnealingLR(optimizer, steps) if cosine else ConstantLR(optimizer, factor=1)
    best, best_epoch, kept = float("inf"), 0, weights
    for epoch in range(1, settings.epochs + 1):
        lr = optimizer.param_groups[0]["lr"]
        train_loss = _one_epoch(weights, train, settings.batch_size, optimizer, schedule, generator)
        loss = _mean_loss(weights, validation)
        note(epoch, lr, train_loss, loss)
        if not math.isfinite(train_loss) or (len(validation.target) and not math.isfinite(loss)):
            of, value = ("train", train_loss) if not math.isfinite(train_loss) else ("validation", loss)
            raise NotFiniteError(
                f"pair_model: the loss on the {of} pairs is {value} after epoch {epoch} of {settings.epochs}",
                f"lower pair_model.lr (the learning rate was {lr:g})",
            )
        if loss < best:
            best, best_epoch = loss, epoch
            kept = {name: weight.detach().clone() for name, weight in weights.items()}
        elif best_epoch and epoch - best_epoch >= settings.patience:
            break
    return kept


def _one_epoch(
    weights: Mapping[str, Tensor],
    train: _PairTensors,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    schedule: LRScheduler,
    generator: torch.Generator,
) -> float:
    """Train `weights` in place on all pairs once, in random order, and return the mean loss of the steps."""
    total = torch.zeros(())
    for batch in torch.split(torch.randperm(len(train.target), generator=generator), batch_size):
        loss = train.loss(weights, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(batch)
    return float(total) / len(train.target)


def _mean_loss(weights: Mapping[str, Tensor], pairs: _PairTensors) -> float:
    """Mean loss over all pairs, NaN without pairs."""
    with torch.no_grad():
        batches = torch.split(torch.arange(len(pairs.target)), CHUNK)
        total = sum(float(pairs.loss(weights, batch)) * len(batch) for batch in batches)
    return total / len(pairs.target) if len(pairs.target) else float("nan")


def _initial_weights(widths: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    """Weights and biases uniform in ±1/√inputs, as in `torch.nn.Linear`."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        bound = inputs**-0.5
        for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            tensor = torch.empty(shape).uniform_(-bound, bound, generator=generator)
            weights[f"linear{layer}.{name}"] = tensor.requires_grad_()
    return weights
