"""Snapshots restore the whole state."""

import copy

import numpy as np
import pytest
import torch

from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.snapshot import restore_snapshot, take_snapshot
from byol_kedro.byol.step import train_step
from tests.support.trainings import CPU, small_state, two_views

OPTIMIZERS = [{"name": "sgd"}, {"name": "sgd", "momentum": 0.0}, {"name": "lars"}, {"name": "adamw"}]


def trained(steps=2, seed=0, **optimizer):
    state, monitor = small_state(seed, optimizer=optimizer), Monitor(CPU)
    for step in range(steps):
        monitor.add(train_step(state, [two_views(seed=step)], lr=0.01, tau=0.9))
    monitor.rows.append(Row(1, 0.5, 1.0, 0.1, 0.9, 8.0, 0.25))
    state.generator.manual_seed(77)
    return state, monitor


def restored(state, monitor, **optimizer):
    other, fresh = small_state(5, optimizer=optimizer), Monitor(CPU)
    restore_snapshot(*take_snapshot(state, monitor), other, fresh)
    return other, fresh


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_whole_state_is_restored(optimizer):
    state, monitor = trained(**optimizer)
    other, _ = restored(state, monitor, **optimizer)
    assert other.step == 2
    for name, tensor in state.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name
    assert torch.equal(state.generator.get_state(), other.generator.get_state())
    ours, theirs = (s.optimizer.state_dict() for s in (state, other))
    assert ours["param_groups"][0].keys() == theirs["param_groups"][0].keys()
    for index, values in ours["state"].items():
        for name, value in values.items():
            if value is not None:
                assert torch.equal(value, theirs["state"][index][name]), (index, name)


def test_tensors_of_the_optimizer_keep_their_strides():
    state, monitor = trained()
    other, _ = restored(state, monitor)
    for one in (state, other):
        kernels = [v["momentum_buffer"] for v in one.optimizer.state_dict()["state"].values()]
        kernels = [kernel for kernel in kernels if kernel.ndim == 4]
        assert kernels
        assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_history_and_pending_metrics_are_restored(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("byol_kedro.byol.monitor.time.perf_counter", lambda: now[0])
    state, monitor = trained()
    now[0] += 3.0
    snapshot = take_snapshot(state, monitor)
    now[0] = 5000.0  # another process, another clock
    fresh = Monitor(CPU)
    restore_snapshot(*snapshot, small_state(5), fresh)
    assert repr(fresh.rows) == repr(monitor.rows)  # NaN is not equal to itself
    total, steps, seconds = fresh.pending()
    assert torch.equal(total, monitor.pending()[0])
    assert (steps, seconds) == (2, pytest.approx(3.0))


def test_a_snapshot_is_a_copy():
    state, monitor = trained()
    arrays, _ = take_snapshot(state, monitor)
    before = copy.deepcopy(arrays)
    monitor.add(train_step(state, [two_views(seed=9)], lr=0.1, tau=0.5))
    torch.rand(3, generator=state.generator)
    assert all(np.array_equal(array, before[name]) for name, array in arrays.items())


def test_paused_time_is_not_counted(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("byol_kedro.byol.monitor.time.perf_counter", lambda: now[0])
    monitor = Monitor(CPU)
    now[0] += 2.0
    with monitor.paused():
        now[0] += 50.0
    assert monitor.pending()[2] == pytest.approx(2.0)
