"""Metrics of a training while it runs."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Fraction of 1/√D, the feature std of vectors that spread over the whole sphere. Measured (docs/recipes.md): 0.2 to 0.3
# without a predictor, above 0.8 in a healthy training.
COLLAPSE_SHARE = 1 / 3


@dataclass(frozen=True)
class Row:
    """A row of the training history: means over the steps since the previous row.

    Attributes:
        step: steps done.
        epoch: epochs done, with a fraction.
        loss: the loss; BYOL's is in [0, 8].
        lr: learning rate of the last step.
        tau: τ of the last step.
        images_per_second: images, not views.
        feature_std: spread of the projections (see `feature_std`).
        knn_top1: top-1 of kNN within train, a fraction; NaN if it was not measured.
        effective_rank: effective rank of the projections, at least 1; NaN if it was not measured.
    """

    step: int
    epoch: float
    loss: float
    lr: float
    tau: float
    images_per_second: float
    feature_std: float
    knn_top1: float = math.nan
    effective_rank: float = math.nan

    def collapsed(self, projection_dim: int) -> bool:
        """Whether the projections of different images are almost equal."""
        return self.feature_std < COLLAPSE_SHARE / math.sqrt(projection_dim)


class Monitor:
    """Sums metrics on the device, so that only reading them waits for it; `rows` is the history so far."""

    def __init__(self, device: torch.device) -> None:
        """Start with an empty history; the sums are kept on `device`."""
        self._device = device
        self.rows: list[Row] = []
        self.reset()

    def reset(self) -> None:
        """Reset the sums and the clock."""
        self._total = torch.zeros(2, device=self._device)
        self._steps = 0
        self._since = time.perf_counter()

    def add(self, metrics: Tensor) -> None:
        """Add the metrics of a step: loss and feature std, (2,)."""
        self._total += metrics
        self._steps += 1

    def read(self, step: int, epoch: float, lr: float, tau: float, images_per_step: int) -> Row:
        """The means since the last reading. Waits for the device and resets the sums."""
        loss, std = (self._total / self._steps).tolist()
        speed = self._steps * images_per_step / (time.perf_counter() - self._since)
        self.reset()
        return Row(step, epoch, loss, lr, tau, speed, std)

    def pending(self) -> tuple[Tensor, int, float]:
        """What is not in a row yet: the sum of the metrics, the number of steps, and their time in seconds."""
        return self._total, self._steps, time.perf_counter() - self._since

    def restore(self, total: Tensor, steps: int, seconds: float) -> None:
        """Restore what was `pending` in another process."""
        self._total = total.to(self._device)
        self._steps = steps
        self._since = time.perf_counter() - seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Exclude the time in the block from `images_per_second`."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start


def feature_std(projection: Tensor) -> Tensor:
    """Standard deviation over the batch of L2-normalized projections (N, D), mean over the D dimensions.

    A float32 scalar without gradient: 0 if all images give one vector (collapse), about 1/√D if they spread over the
    whole sphere (Chen & He 2021, 2011.10566, §4.1).
    """
    return F.normalize(projection.detach().float(), dim=1).std(dim=0, correction=0).mean()
