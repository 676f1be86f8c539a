"""One training step: a function of the state that it changes."""

from collections.abc import Iterable

import torch
from torch import Tensor

from byol_kedro.byol.distributed import ALONE, Group
from byol_kedro.byol.monitor import feature_std
from byol_kedro.byol.state import TrainState

Views = tuple[Tensor, Tensor]


def train_step(
    state: TrainState,
    micro_batches: Iterable[Views],
    *,
    lr: float,
    tau: float,
    dtype: torch.dtype | None = None,
    group: Group = ALONE,
) -> Tensor:
    """One step of the optimizer, then one of the target network (paper 2006.07733, §3.1 and algorithm 1).

    If a float16 gradient overflows, weights, optimizer and target are left unchanged.

    Args:
        state: changed in place.
        micro_batches: pairs of views, each (N, 3, H, W) float32 on the device of the state. The gradient is the mean
            over all of them; BatchNorm sees one view of one micro-batch at a time. Iterated once, so that a generator
            keeps only one pair in memory.
        lr: learning rate.
        tau: weight of the old target in its update.
        dtype: autocast dtype of the passes. The loss is computed in float32.
        group: the processes of the training, each of which has another part of every micro-batch.

    Returns:
        Loss and feature std of the whole batch, (2,) float32 on the device, without gradient; the call does not wait
        for them.
    """
    state.optimizer.zero_grad(set_to_none=True)
    total, count = torch.zeros(2, device=state.device), 0
    for views in micro_batches:
        total += _gradients(state, views, dtype, group)
        count += 1
    gradients = [p.grad for p in state.network.parameters() if p.grad is not None]
    group.average([*gradients, total])
    if count > 1:
        torch._foreach_div_(gradients, count)
    for settings in state.optimizer.param_groups:
        settings["lr"] = lr
    if _optimize(state):
        state.network.update_target(tau)
    else:
        state.skipped += 1
    state.step += 1
    return total / count


def _gradients(state: TrainState, views: Views, dtype: torch.dtype | None, group: Group) -> Tensor:
    """Add the gradient of a part of a micro-batch. Returns the loss of the part and the feature std, (2,)."""
    first, second = (view.contiguous(memory_format=torch.channels_last) for view in views)
    autocast = torch.autocast(state.device.type, dtype=dtype, enabled=dtype is not None)
    with autocast, group.synchronized_norms(state.device):
        loss, projection = state.network.loss(first, second)
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return torch.stack((loss.detach(), feature_std(group.gathered(projection.detach()))))


def _optimize(state: TrainState) -> bool:
    """Whether the optimizer took its step, which the loss scaling skips if a gradient is infinite or NaN."""
    taken: list[bool] = []
    # The scaler does not return whether it skipped the step; comparing scales would wait for the device twice more.
    with state.optimizer.register_step_post_hook(lambda *_: taken.append(True)):
        state.scaler.step(state.optimizer)
    state.scaler.update()
    return bool(taken)
