"""The training loop."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.batches import Images
from byol_kedro.byol.device import autocast_dtype
from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.byol.method import Method
from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.step import Views, train_step
from byol_kedro.errors import UserError

Watch = Callable[[int, Row | None], None]
Measure = Callable[[Method], Mapping[str, Any]]  # columns of Row
Keep = Callable[[TrainState, Monitor], None]


class DivergedError(UserError):
    """The training of `state` has `found` what is no number, with which it cannot go on."""

    def __init__(self, found: str, state: TrainState, plan: Plan) -> None:
        lr, _ = plan.rates(state.step - 1)
        dtype = autocast_dtype(state.device, plan.parameters.precision) or torch.float32
        advice = ", or set pretrain.precision=bfloat16" if dtype is torch.float16 else ""
        super().__init__(
            f"pretrain: {found} after step {state.step} of {plan.steps}; lower pretrain.optimizer.lr (the rate was "
            f"{lr:g}, in {str(dtype).removeprefix('torch.')}) or lengthen pretrain.optimizer.warmup_epochs{advice}"
        )


def train(
    state: TrainState,
    images: Images,
    plan: Plan,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    monitor: Monitor | None = None,
    watch: Watch = lambda _done, _row: None,
    measure: Measure | None = None,
    keep: Keep = lambda _state, _monitor: None,
) -> list[Row]:
    """Trains `state` from where it stands to the last step of `plan`; returns the rows of its history.

    `mean` and `std` (3 channels, in [0, 1] units) are taken out of every view. `monitor` holds the history of
    the steps that `state` has behind it. `watch` is called after every step with the number of steps done and,
    where the device was read, the row; then `keep`, which may take a snapshot. `measure` gives more columns
    of the row after every `online_knn.every_epochs` epochs and after the last. An epoch sees each image once; an
    incomplete last step is left out.

    Raises:
        DivergedError: the loss, or a feature that `measure` looks at, is no longer a finite number.
    """
    dtype = autocast_dtype(state.device, plan.parameters.precision)
    normalize = torch.tensor(mean, device=state.device), torch.tensor(std, device=state.device)
    monitor = monitor or Monitor(state.device)
    with closing(images.batches(plan.batches(state.step))) as batches:
        while state.step < plan.steps:
            lr, tau = plan.rates(state.step)
            views = _views(state, plan, islice(batches, plan.parameters.accumulation_steps), normalize)
            monitor.add(train_step(state, views, lr=lr, tau=tau, dtype=dtype))
            row = None
            if plan.read_after(state.step):
                row = _read(state, plan, monitor, (lr, tau), measure)
                monitor.rows.append(row)
            watch(state.step, row)
            keep(state, monitor)
    return monitor.rows


def _views(
    state: TrainState, plan: Plan, batches: Iterator[Tensor], normalize: tuple[Tensor, Tensor]
) -> Iterator[Views]:
    mean, std = normalize
    first, second = plan.parameters.views.first, plan.parameters.views.second
    for images in batches:
        yield (
            augment(images, first, state.generator, mean=mean, std=std),
            augment(images, second, state.generator, mean=mean, std=std),
        )


def _read(state: TrainState, plan: Plan, monitor: Monitor, rates: tuple[float, float], measure: Measure | None) -> Row:
    row = monitor.read(state.step, state.step / plan.steps_an_epoch, *rates, plan.images_a_step)
    if not math.isfinite(row.loss):
        raise DivergedError(f"the loss is {row.loss}", state, plan)
    if measure is not None and plan.score_after(state.step):
        try:
            row = dataclasses.replace(row, **measure(state.network))
        except NotFiniteError as error:
            raise DivergedError(error.found, state, plan) from None
        monitor.restart()
    return row
