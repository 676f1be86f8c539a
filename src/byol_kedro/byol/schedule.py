"""The plan of a training: images, learning rate and τ of each step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byol_kedro.byol.seeds import ORDER, stream_seed
from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain

MIN_IMAGES = 2  # in a batch, for BatchNorm
HISTORY_ROWS = 400  # chosen: points of a training curve
MAX_STEPS_PER_ROW = 50  # chosen: seconds of training on a GPU


@dataclass(frozen=True)
class Plan:
    """A training with `parameters` on `count` images. Steps are those of the optimizer, counted from 0.

    Raises:
        UserError: there are fewer images than one step needs.
    """

    parameters: "Pretrain"
    count: int
    seed: int

    def __post_init__(self) -> None:
        """Check that there are enough images for one step."""
        if self.count < self.images_per_step:
            batch, accumulation_steps = self.parameters.batch_size, self.parameters.accumulation_steps
            too_large = (
                "pretrain.batch_size"
                if accumulation_steps == 1 or self.count < batch
                else "pretrain.accumulation_steps"
            )
            advice = f"lower {too_large}, and pretrain.optimizer.lr in proportion"
            raise UserError(
                f"pretrain: one step needs batch_size x accumulation_steps = {batch} x {accumulation_steps} = "
                f"{self.images_per_step} images, found {self.count} in train and unlabeled together; "
                f"{advice if self.count >= MIN_IMAGES else f'at least {MIN_IMAGES} are needed: ingest more images'}"
            )

    @property
    def images_per_step(self) -> int:
        """Images per step, over all micro-batches."""
        return self.parameters.batch_size * self.parameters.accumulation_steps

    @property
    def steps_per_epoch(self) -> int:
        """Complete steps per epoch."""
        return self.count // self.images_per_step

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self._in_steps(self.parameters.length)

    @property
    def epochs(self) -> float:
        """Epochs of the whole training; a fraction if it ends within one."""
        whole, rest = divmod(self.steps, self.steps_per_epoch)
        return self.steps / self.steps_per_epoch if rest else whole

    @property
    def continue_from(self) -> int | None:
        """Steps of the finished training that this one continues."""
        given = self.parameters.continue_from
        return None if given is None else self._in_steps(given)

    @property
    def warmup(self) -> int:
        """Steps of linear warmup."""
        return round(self.parameters.optimizer.warmup * self.steps)

    def rates(self, step: int) -> tuple[float, float]:
        """Learning rate and τ of `step`."""
        optimizer, tau = self.parameters.optimizer, self.parameters.tau
        lr = learning_rate(step, steps=self.steps, warmup=self.warmup, peak=optimizer.lr, schedule=optimizer.schedule)
        return lr, target_tau(step, steps=self.steps, base=tau.base, schedule=tau.schedule)

    def order(self, epoch: int) -> Tensor:
        """Indices (count,) int64 of the images in the order of `epoch`, the same on every device."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, ORDER, epoch))
        return torch.randperm(self.count, generator=generator)

    def micro_batches(self, order: Tensor, step: int) -> list[Tensor]:
        """Indices (batch_size,) of each micro-batch of `step`, in ascending order, from the `order` of its epoch."""
        start = step % self.steps_per_epoch * self.images_per_step
        batches = torch.split(order[start : start + self.images_per_step], self.parameters.batch_size)
        # In ascending order a memory map is read sequentially; the order within a batch does not matter.
        return [batch.sort().values for batch in batches]

    def batches(self, step: int) -> Iterator[Tensor]:
        """Indices of every micro-batch from `step` to the end of the training."""
        for epoch in range(step // self.steps_per_epoch, math.ceil(self.epochs)):
            order = self.order(epoch)
            first = epoch * self.steps_per_epoch
            for each in range(max(step, first), min(first + self.steps_per_epoch, self.steps)):
                yield from self.micro_batches(order, each)

    def logs_after(self, done: int) -> bool:
        """Whether the history gets a row after `done` steps: regularly, after epochs, evaluations and the last step."""
        every = max(1, min(self.steps // HISTORY_ROWS, MAX_STEPS_PER_ROW))
        regular = done % every == 0 or done % self.steps_per_epoch == 0
        return regular or done == self.steps or self.evaluates_after(done)

    def evaluates_after(self, done: int) -> bool:
        """Whether the networks are evaluated after `done` steps."""
        number = self.parameters.online_knn.evaluations
        return done * number // self.steps > (done - 1) * number // self.steps

    def _in_steps(self, length: int) -> int:
        """`length` is in the unit of the training."""
        return length if self.parameters.unit == "steps" else length * self.steps_per_epoch


def learning_rate(step: int, *, steps: int, warmup: int, peak: float, schedule: str) -> float:
    """Learning rate of step `step` of `steps`.

    Linear over the first `warmup` steps, from peak/warmup to peak, so that no step has rate 0; then constant, or half
    a cosine to 0 at `steps` (paper 2006.07733, §3.3; Loshchilov & Hutter 2017, 1608.03983, eq. 5).
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    return peak * _half_cosine((step - warmup) / (steps - warmup))


def target_tau(step: int, *, steps: int, base: float, schedule: str) -> float:
    """τ of the target update after step `step` of `steps`: constant `base`, or a cosine from `base` to 1.

    τ_k = 1 - (1 - τ_base)·(cos(πk/K) + 1)/2: paper (2006.07733), §3.3.
    """
    if schedule == "constant":
        return base
    return 1 - (1 - base) * _half_cosine(step / steps)


def _half_cosine(fraction: float) -> float:
    return (math.cos(math.pi * fraction) + 1) / 2
