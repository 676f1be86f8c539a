"""What is known of a training as it runs, read from the device now and then."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# Of 1/√D, the feature std of vectors that spread over the whole sphere. Measured (docs/recipes.md): a training without
# predictor has 0.2 to 0.3 of it, a healthy one above 0.8.
COLLAPSE_SHARE = 1 / 3


@dataclass(frozen=True)
class Row:
    """A row of the training history: means over the steps since the row before, `lr` and `tau` of the last.

    `step` and `epoch` count what is done (`epoch` with its fraction); `loss` is in [0, 8];
    `images_per_second` counts images, not views; `knn_top1` (a fraction) and
    `effective_rank` (of projections, from 1) are NaN where they were not measured.
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
        """Whether the projections of different images hardly differ any more."""
        return self.feature_std < COLLAPSE_SHARE / math.sqrt(projection_dim)


class Monitor:
    """Adds up a step's metrics on the device, so that only reading them waits for it; `rows` is the history so far."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.rows: list[Row] = []
        self.restart()

    def restart(self) -> None:
        """Forget what was added; the clock starts anew."""
        self._total = torch.zeros(2, device=self._device)
        self._steps = 0
        self._since = time.perf_counter()

    def add(self, metrics: Tensor) -> None:
        """`metrics`: loss and feature std of a step, (2,)."""
        self._total += metrics
        self._steps += 1

    def read(self, step: int, epoch: float, lr: float, tau: float, images_a_step: int) -> Row:
        """The means since the last reading; waits for the device, then starts anew."""
        loss, std = (self._total / self._steps).tolist()
        speed = self._steps * images_a_step / (time.perf_counter() - self._since)
        self.restart()
        return Row(step, epoch, loss, lr, tau, speed, std)

    def pending(self) -> tuple[Tensor, int, float]:
        """What is not yet in a row: the sum of the metrics, their steps, and the seconds that they took."""
        return self._total, self._steps, time.perf_counter() - self._since

    def go_on(self, total: Tensor, steps: int, seconds: float) -> None:
        """Takes up what another process had `pending`."""
        self._total = total.to(self._device)
        self._steps = steps
        self._since = time.perf_counter() - seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time in the block is not the training's."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start


def feature_std(projection: Tensor) -> Tensor:
    """Standard deviation over the batch of L2-normalized projections (N, D), mean over the D dimensions.

    A float32 scalar without gradient: 0 if all images give one vector (collapse), about 1/√D if they spread over the
    whole sphere (Chen & He 2021, 2011.10566, §4.1).
    """
    return F.normalize(projection.detach().float(), dim=1).std(dim=0, correction=0).mean()
