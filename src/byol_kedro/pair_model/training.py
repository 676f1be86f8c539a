"""Training of the latent MLP on pairs."""

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
from byol_kedro.pair_model.model import PairModel, distance, embed
from byol_kedro.pair_model.pairs import PIECE, PairSet, Values

if TYPE_CHECKING:
    from byol_kedro.parameters import PairModelParams

LATENT_DIM = 16
# Distances in 16 dimensions differ little, and targets often begin far above 0: the offset starts where this part
# of them lies below. Measured in docs/results.md: without an offset SSIM is predicted worse than by the mean.
LOW = 0.05
OFFSET = "offset"
HISTORY = ["epoch", "lr", "train_l1", "validation_l1"]


# Epoch, and the other columns of the history by name.
Watch = Callable[[int, Mapping[str, float]], None]


def unwatched(_epoch: int, _values: Mapping[str, float]) -> None:
    """A training that nobody watches."""


@one_thread()
def fit_pair_model(
    train: PairSet,
    validation: PairSet,
    scaler: Scaler,
    settings: "PairModelParams",
    seed: int,
    watch: Watch = unwatched,
) -> tuple[PairModel, pd.DataFrame]:
    """Fit the latent MLP to training pairs, at least one; the epoch with the least validation loss is kept.

    The loss is the mean of | ‖f(left) − f(right)‖₂ − scale · (target − offset) |, minimized by Adam. The scale is that
    of `target_units`, where the offset starts, which is learned with the weights; as published, they are 1 and 0.
    Training stops after `pair_model.patience` epochs
    without a lower validation loss; without validation pairs the last epoch counts. Features are standardized by
    `scaler`, that of the train images.

    Raises NotFiniteError where a loss, or a latent vector of `train`, is no number.

    `watch` is called after each epoch. Returns the model and a row for each epoch: epoch (from 1), lr of its first
    step, train_l1 (mean over its steps) and validation_l1 (after it), both in the target's own unit.
    """
    offset, scale = target_units(train.target) if settings.scale_target else (0.0, 1.0)
    generator = torch.Generator().manual_seed(seed)
    weights = _initial_weights([train.features.shape[1], *settings.widths, LATENT_DIM], generator)
    weights[OFFSET] = torch.zeros((), requires_grad=settings.scale_target)
    known, held = (_prepared(pairs, scaler, offset, scale) for pairs in (train, validation))
    rows: list[tuple[int, float, float, float]] = []

    def note(epoch: int, lr: float, train_loss: float, validation_loss: float) -> None:
        rows.append((epoch, lr, train_loss / scale, validation_loss / scale))
        watch(epoch, dict(zip(HISTORY[1:], rows[-1][1:], strict=True)))

    kept = _minimize(weights, known, held, settings, generator, note)
    history = pd.DataFrame(rows, columns=HISTORY)
    arrays = {name: tensor.detach().numpy() for name, tensor in kept.items()}
    offset = float(np.float32(offset + arrays.pop(OFFSET) / scale))
    model = PairModel(arrays, scaler, offset, scale)
    model.vectors(train.features)  # looks at them: of the last step the losses say nothing
    return model, history


def no_history() -> pd.DataFrame:
    """Of a model that was not fitted here: the columns of `HISTORY` and no rows."""
    return pd.DataFrame(columns=HISTORY).astype({"epoch": "int64"} | dict.fromkeys(HISTORY[1:], "float64"))


def target_units(target: Values) -> tuple[float, float]:
    """Offset and scale that take targets (P,) to a mean of 1, with `LOW` of them at 0 or below.

    The offset is 0 where targets do not vary. Both are numbers of float32, as they are saved.
    """
    offset = float(np.float32(np.quantile(target, LOW)))
    spread = float(target.mean()) - offset
    if spread <= np.finfo(np.float32).eps * abs(offset):
        offset, spread = 0.0, float(target.mean())
    return offset, float(np.float32(1 / spread)) if spread > SMALLEST else 1.0


@dataclass(frozen=True)
class _Prepared:
    """features (N, D) standardized, pairs (2, P) int64 rows of it, target (P,) scaled."""

    features: Tensor
    pairs: Tensor
    target: Tensor

    def loss(self, weights: Mapping[str, Tensor], batch: Tensor) -> Tensor:
        """Mean over the pairs `batch` (B,)."""
        both = embed(weights, self.features[self.pairs[:, batch].flatten()])  # (2 B, 16), the left ones first
        return F.l1_loss(distance(*both.chunk(2)) + weights[OFFSET], self.target[batch])


def _prepared(pairs: PairSet, scaler: Scaler, offset: float, scale: float) -> _Prepared:
    return _Prepared(
        torch.from_numpy(scaler(pairs.features)),
        torch.from_numpy(np.stack([pairs.left, pairs.right])),
        torch.from_numpy(((pairs.target - offset) * scale).astype(np.float32)),
    )


def _minimize(
    weights: dict[str, Tensor],
    train: _Prepared,
    validation: _Prepared,
    settings: "PairModelParams",
    generator: torch.Generator,
    note: Callable[[int, float, float, float], None],
) -> dict[str, Tensor]:
    """The weights of the epoch that counts. `note` gets epoch, rate and both losses, after each."""
    optimizer = torch.optim.Adam(list(weights.values()), lr=settings.lr, fused=True)
    steps = settings.epochs * -(-len(train.target) // settings.batch_size)
    cosine = settings.schedule == "cosine"
    schedule = CosineAnnealingLR(optimizer, steps) if cosine else ConstantLR(optimizer, factor=1)
    best, best_epoch, kept = float("inf"), 0, weights
    for epoch in range(1, settings.epochs + 1):
        lr = optimizer.param_groups[0]["lr"]
        train_loss = _one_epoch(weights, train, settings.batch_size, optimizer, schedule, generator)
        loss = _whole_loss(weights, validation)
        note(epoch, lr, train_loss, loss)
        if not math.isfinite(train_loss) or (len(validation.target) and not math.isfinite(loss)):
            of, value = ("train", train_loss) if not math.isfinite(train_loss) else ("validation", loss)
            raise NotFiniteError(
                f"pair_model: the loss on the {of} pairs is {value} after epoch {epoch} of {settings.epochs}",
                f"lower pair_model.lr (the rate was {lr:g})",
            )
        if loss < best:
            best, best_epoch = loss, epoch
            kept = {name: weight.detach().clone() for name, weight in weights.items()}
        elif best_epoch and epoch - best_epoch >= settings.patience:
            break
    return kept


def _one_epoch(
    weights: Mapping[str, Tensor],
    train: _Prepared,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    schedule: LRScheduler,
    generator: torch.Generator,
) -> float:
    """Train `weights` in place on all pairs once, in a new order; the mean loss of its steps."""
    total = torch.zeros(())
    for batch in torch.split(torch.randperm(len(train.target), generator=generator), batch_size):
        loss = train.loss(weights, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(batch)
    return float(total) / len(train.target)


def _whole_loss(weights: Mapping[str, Tensor], pairs: _Prepared) -> float:
    """Mean over all pairs, NaN without any."""
    with torch.no_grad():
        batches = torch.split(torch.arange(len(pairs.target)), PIECE)
        total = sum(float(pairs.loss(weights, batch)) * len(batch) for batch in batches)
    return total / len(pairs.target) if len(pairs.target) else float("nan")


def _initial_weights(widths: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    """Weights and biases uniform in ±1/√inputs, as `torch.nn.Linear` draws them."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        bound = inputs**-0.5
        for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            tensor = torch.empty(shape).uniform_(-bound, bound, generator=generator)
            weights[f"linear{layer}.{name}"] = tensor.requires_grad_()
    return weights
