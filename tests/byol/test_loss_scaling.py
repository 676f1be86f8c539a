"""Loss scaling in float16: skipped steps, the scale, gradients."""

import pytest
import torch

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.snapshot import restore_snapshot, take_snapshot
from byol_kedro.byol.step import train_step
from tests.support.trainings import CPU, small_state, two_views

OPTIMIZERS = [{"name": "sgd"}, {"name": "lars"}, {"name": "adamw"}]


def scaled_state(scale=256.0, seed=0, **changes):
    """A state for float16 whose gradients are multiplied by `scale`: 256 is harmless here."""
    state = small_state(seed, precision="float16", **changes)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return state


def step(state, *seeds, dtype=torch.float16):
    return train_step(state, [two_views(seed=seed) for seed in seeds], lr=0.1, tau=0.5, dtype=dtype)


def moving(state):
    """Everything that an overflow must not change: parameters of both networks and the optimizer's tensors."""
    memory = [value for values in state.optimizer.state_dict()["state"].values() for value in values.values()]
    return [tensor.detach().clone() for tensor in [*state.network.parameters(), *memory] if tensor is not None]


def unchanged(before, after):
    return len(before) == len(after) and all(map(torch.equal, before, after))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_an_overflow_skips_the_step_and_halves_the_scale(optimizer):
    state = scaled_state(optimizer=optimizer)
    step(state, 0)
    before, target = moving(state), [tensor.clone() for tensor in state.network.moving_pairs[1]]
    state.scaler.update(2.0**40)  # beyond float16's 65504 in any gradient
    step(state, 1)
    assert unchanged(before, moving(state))
    assert (state.scaler.get_scale(), state.step, state.skipped) == (2.0**39, 2, 1)
    state.scaler.update(256.0)
    step(state, 2)
    assert not unchanged(before, moving(state))
    assert not any(map(torch.equal, state.network.moving_pairs[1], target))
    assert (state.step, state.skipped) == (3, 1)


def test_an_overflow_in_one_micro_batch_skips_the_step(monkeypatch):
    state = scaled_state()
    step(state, 0)
    before, backward, calls = moving(state), torch.Tensor.backward, []

    def overflowing(loss):
        calls.append(loss)
        backward(loss * (torch.inf if len(calls) == 1 else 1))

    monkeypatch.setattr(torch.Tensor, "backward", overflowing)
    step(state, 1, 2, 3)
    assert len(calls) == 3
    assert unchanged(before, moving(state))
    assert (state.skipped, state.scaler.get_scale()) == (1, 128.0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_scale_does_not_reach_the_weights(optimizer):
    plain, scaled = small_state(optimizer=optimizer), scaled_state(1024.0, optimizer=optimizer)
    for seed in (0, 3):
        step(plain, seed, seed + 1, dtype=None)
        step(scaled, seed, seed + 1, dtype=None)  # in float32, where a power of two loses nothing
    assert scaled.skipped == 0
    for ours, theirs in zip(scaled.network.parameters(), plain.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_only_the_passes_are_in_float16():
    state, seen = scaled_state(), []
    state.network.projector.register_forward_hook(lambda _module, _given, out: seen.append(out.dtype))
    metrics = step(state, 0)
    assert set(seen) == {torch.float16}
    assert {parameter.dtype for parameter in state.network.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in state.network.parameters() if p.grad is not None} == {torch.float32}
    assert float(metrics[0]) == pytest.approx(float(step(small_state(), 0, dtype=None)[0]), rel=0.01)


def test_without_float16_nothing_is_scaled():
    assert not small_state().scaler.is_enabled()
    assert not small_state(precision="bfloat16").scaler.is_enabled()
    assert small_state(precision="float16").scaler.is_enabled()


def test_a_snapshot_holds_scale_growth_and_skipped_steps():
    state = scaled_state(2.0**40)
    for seed in range(3):
        step(state, seed)
    other = small_state(5, precision="float16")
    restore_snapshot(*take_snapshot(state, Monitor(CPU)), other, Monitor(CPU))
    assert other.scaler.state_dict() == state.scaler.state_dict()
    assert other.skipped == state.skipped == 3


def test_a_step_waits_for_the_device_only_with_scaling(monkeypatch):
    asked = []
    item = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: asked.append(1) or item(tensor))
    step(small_state(), 0, dtype=torch.bfloat16)
    assert asked == []
    step(scaled_state(), 0)
    assert len(asked) == 1  # the scaler, whether a gradient overflowed
