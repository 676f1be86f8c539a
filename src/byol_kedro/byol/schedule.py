"""Which images, learning rate and τ each step of a training gets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byol_kedro.byol.seeds import ORDER, stream_seed
from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain
import math

FEWEST = 2  # images in a batch: what they have in common is taken out of each
ROWS = 400  # chosen: points of a training curve
STEPS_A_ROW = 50  # chosen: at most; seconds of a GPU's work


@dataclass(frozen=True)
class Plan:
    """A training of `parameters` over `count` images; steps are the optimizer's, counted from 0.

    Raises:
        UserError: there are fewer images than one step takes.
    """

    parameters: "Pretrain"
    count: int
    seed: int

    def __post_init__(self) -> None:
        if self.count < self.images_a_step:
            batch, accumulation_steps = self.parameters.batch_size, self.parameters.accumulation_steps
            too_large = (
                "pretrain.batch_size"
                if accumulation_steps == 1 or self.count < batch
                else "pretrain.accumulation_steps"
            )
            advice = f"lower {too_large}, and pretrain.optimizer.lr in proportion"
            raise UserError(
                f"pretrain: one step takes batch_size x accumulation_steps = {batch} x {accumulation_steps} = "
                f"{self.images_a_step} images, found {self.count} in train and unlabeled together; "
                f"{advice if self.count >= FEWEST else f'at least {FEWEST} are needed: ingest more images'}"
            )

    @property
    def images_a_step(self) -> int:
        return self.parameters.batch_size * self.parameters.accumulation_steps

    @property
    def steps_an_epoch(self) -> int:
        return self.count // self.images_a_step

    @property
    def steps(self) -> int:
        return self.parameters.epochs * self.steps_an_epoch

    @property
    def warmup(self) -> int:
        """Steps of linear warm-up."""
        return min(round(self.parameters.optimizer.warmup_epochs * self.steps_an_epoch), self.steps)

    def rates(self, step: int) -> tuple[float, float]:
        """Learning rate and τ of `step`."""
        optimizer, tau = self.parameters.optimizer, self.parameters.tau
        lr = learning_rate(step, steps=self.steps, warmup=self.warmup, peak=optimizer.lr, schedule=optimizer.schedule)
        return lr, target_tau(step, steps=self.steps, base=tau.base, schedule=tau.schedule)

    def order(self, epoch: int) -> Tensor:
        """Indices (count,) int64 of the images in the order of `epoch`; the same on every device."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, ORDER, epoch))
        return torch.randperm(self.count, generator=generator)

    def picked(self, order: Tensor, step: int) -> list[Tensor]:
        """Indices (batch_size,) of each micro-batch of `step`, ascending, from the `order` of its epoch."""
        start = step % self.steps_an_epoch * self.images_a_step
        batches = torch.split(order[start : start + self.images_a_step], self.parameters.batch_size)
        # Ascending, so that a memory map is read forwards; within a batch the order changes nothing.
        return [batch.sort().values for batch in batches]

    def batches(self, step: int) -> Iterator[Tensor]:
        """Indices, as `picked` gives them, of every micro-batch from `step` to the end of the training."""
        for epoch in range(step // self.steps_an_epoch, self.parameters.epochs):
            order = self.order(epoch)
            first = epoch * self.steps_an_epoch
            for each in range(max(step, first), first + self.steps_an_epoch):
                yield from self.picked(order, each)

    def read_after(self, done: int) -> bool:
        """Whether the metrics are read when `done` steps are done: regularly, and after each epoch."""
        every = max(1, min(self.steps // ROWS, STEPS_A_ROW))
        return done % every == 0 or done % self.steps_an_epoch == 0

    def score_after(self, done: int) -> bool:
        """Whether kNN is due when `done` steps are done."""
        epochs, rest = divmod(done, self.steps_an_epoch)
        return done == self.steps or (rest == 0 and epochs % self.parameters.online_knn.every_epochs == 0)


def learning_rate(step: int, *, steps: int, warmup: int, peak: float, schedule: str) -> float:
    """Learning rate of optimizer step `step` of `steps`.

    Linear over the first `warmup` steps, from peak/warmup to peak, so that no step has rate 0; then
    constant, or along half a cosine to 0 at `steps` (paper 2006.07733, §3.3; Loshchilov & Hutter 2017,
    1608.03983, eq. 5).
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    return peak * _half_cosine((step - warmup) / (steps - warmup))


def target_tau(step: int, *, steps: int, base: float, schedule: str) -> float:
    """τ of the target update after optimizer step `step` of `steps`: `base`, or from `base` to 1 on a cosine.

    τ_k = 1 - (1 - τ_base)·(cos(πk/K) + 1)/2: paper (2006.07733), §3.3.
    """
    if schedule == "constant":
        return base
    return 1 - (1 - base) * _half_cosine(step / steps)


def _half_cosine(part: float) -> float:
    return (math.cos(math.pi * part) + 1) / 2
