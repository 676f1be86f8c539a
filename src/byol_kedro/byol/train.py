"""The training loop."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from byol_kedro.byol.augmentation.augment import apply_params
from byol_kedro.byol.augmentation.draw import draw_params
from byol_kedro.byol.batches import Images
from byol_kedro.byol.distributed import ALONE, Group
from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.byol.method import Method
from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.precision import autocast_dtype
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.step import Views, train_step
from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import View

OnStep = Callable[[int, Row | None], None]
OnCheckpoint = Callable[[TrainState, Monitor], None]
Evaluate = Callable[[Method], Mapping[str, Any]]  # columns of Row


class DivergedError(UserError):
    """The training has a loss, a weight or a feature that is not finite, which `found` names."""

    def __init__(self, found: str, state: TrainState, plan: Plan) -> None:
        """Create the error, with the step, the learning rate and the precision of the training."""
        lr, _ = plan.rates(state.step - 1)
        precision = plan.parameters.precision
        advice = ", or set pretrain.precision=bfloat16" if precision == "float16" else ""
        super().__init__(
            f"pretrain: {found} after step {state.step} of {plan.steps}; lower pretrain.optimizer.lr (the rate was "
            f"{lr:g}, in {precision}) or raise pretrain.optimizer.warmup{advice}"
        )


def train(
    state: TrainState,
    images: Images,
    plan: Plan,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    monitor: Monitor | None = None,
    on_step: Sequence[OnStep] = (),
    on_checkpoint: OnCheckpoint = lambda _state, _monitor: None,
    evaluate: Evaluate | None = None,
    group: Group = ALONE,
) -> list[Row]:
    """Train `state` from its step to the last step of `plan`.

    An epoch uses each image once; an incomplete last step is dropped. Views, batches and rates do not depend on the
    number of processes.

    Args:
        state: networks, optimizer and generator; changed in place.
        images: the training images.
        plan: batches, learning rate and τ of each step; its precision is not `auto` (`resolve_precision`).
        mean: mean of each channel, in [0, 1] units. Views are normalized with `mean` and `std`.
        std: standard deviation of each channel.
        monitor: the history of the steps that `state` has done already.
        on_step: called after every step with the number of steps done and, if the metrics were read from the device,
            the new row of the history.
        on_checkpoint: called after every step, after `on_step`; may take a snapshot.
        evaluate: computes further columns of the row, `online_knn.evaluations` times, the last one after the last step.
        group: the processes of the training, which start from the same state; each calls this function.

    Returns:
        The rows of the history.

    Raises:
        DivergedError: the loss, or a feature that `evaluate` computes, is not finite.
    """
    dtype = autocast_dtype(plan.parameters.precision)
    normalize = torch.tensor(mean, device=state.device), torch.tensor(std, device=state.device)
    monitor = monitor or Monitor(state.device)
    rows = group.rows(plan.parameters.batch_size)
    group.synchronize_norms(state.network)
    with closing(images.batches(picked[rows] for picked in plan.batches(state.step))) as batches:
        while state.step < plan.steps:
            lr, tau = plan.rates(state.step)
            views = _views(state, plan, islice(batches, plan.parameters.accumulation_steps), normalize, rows)
            monitor.add(train_step(state, views, lr=lr, tau=tau, dtype=dtype, group=group))
            row = None
            if plan.logs_after(state.step):
                row = _history_row(state, plan, monitor, (lr, tau), evaluate)
                monitor.rows.append(row)
            for callback in on_step:
                callback(state.step, row)
            on_checkpoint(state, monitor)
    return monitor.rows


def _views(
    state: TrainState, plan: Plan, batches: Iterator[Tensor], normalize: tuple[Tensor, Tensor], rows: slice
) -> Iterator[Views]:
    """Views of each of `batches`, which are the `rows` of micro-batches."""
    parameters, (mean, std) = plan.parameters, normalize

    def view(images: Tensor, kind: "View") -> Tensor:
        # Drawn for the whole micro-batch, so that the views of an image do not depend on the number of processes.
        params = draw_params(kind, parameters.batch_size, images.shape[-1], state.generator)
        return apply_params(images, params.take(rows), size=parameters.views.size, mean=mean, std=std)

    for images in batches:
        yield view(images, parameters.views.first), view(images, parameters.views.second)


def _history_row(
    state: TrainState, plan: Plan, monitor: Monitor, rates: tuple[float, float], evaluate: Evaluate | None
) -> Row:
    row = monitor.read(state.step, state.step / plan.steps_per_epoch, *rates, plan.images_per_step)
    if not math.isfinite(row.loss):
        raise DivergedError(f"the loss is {row.loss}", state, plan)
    if evaluate is not None and plan.evaluates_after(state.step):
        try:
            row = dataclasses.replace(row, **evaluate(state.network))
        except NotFiniteError as error:
            raise DivergedError(error.found, state, plan) from None
        monitor.reset()
    return row
