"""Checkpoints during a training; signals and a full disk do not lose it."""

import errno
import logging
import os
import signal
import threading

import pytest

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.train import train_step
from byol_kedro.datasets.checkpoints import Checkpoints, save_file
from byol_kedro.pipelines.pretrain.checkpointing import SIGNALS, Checkpointer, StopRequest, catch_signals
from tests.support.resuming import identity, run, same
from tests.support.trainings import CPU, recipe, small_state


def stopped_by(monkeypatch, number, after, parameters, folder):
    def step(state, views, **rates):
        if state.step == after - 1:
            os.kill(os.getpid(), number)
        return train_step(state, views, **rates)

    monkeypatch.setattr("byol_kedro.byol.train.train_step", step)
    with pytest.raises(SystemExit) as stopped:
        run(folder, parameters)
    monkeypatch.undo()
    return stopped.value.code


@pytest.fixture(autouse=True)
def default_handlers():
    """Default signal handlers, even if the tests were started by nohup or in the background."""
    default = {signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, default.get(number, signal.SIG_DFL)) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_training_after_its_step_with_a_checkpoint(tmp_path, monkeypatch, caplog, number, code):
    before = signal.getsignal(number)
    with caplog.at_level(logging.INFO):
        assert stopped_by(monkeypatch, number, 3, recipe(), tmp_path / "a") == code
    assert signal.getsignal(number) is before
    assert caplog.messages[-1] == (
        f"stopped by {number.name} after step 3 of 4; a checkpoint was written; "
        "run the same command to resume from the last one"
    )
    assert Checkpoints(tmp_path / "a").of(identity()).newest().step == 3
    assert same(run(tmp_path / "a", recipe()), run(tmp_path / "b", recipe()))


def test_a_second_signal_is_handled_as_usual(monkeypatch):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("ours"))
    try:
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert (stop.received, seen) == (signal.SIGTERM, [])
            signal.raise_signal(signal.SIGTERM)
            assert seen == ["ours"]
            stop.received = None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_unchecked_signal_is_raised_again():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS)
def test_ignored_signals_remain_ignored(number):
    signal.signal(number, signal.SIG_IGN)
    with StopRequest() as stop:
        signal.raise_signal(number)
    assert stop.received is None
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_training_in_another_thread_receives_signals():
    entered, signaled, received = threading.Event(), threading.Event(), []

    def work():
        with StopRequest() as stop:
            entered.set()
            signaled.wait()
            received.append(stop.received)
            stop.received = None

    before = signal.getsignal(signal.SIGTERM)
    assert catch_signals()
    thread = threading.Thread(target=work)
    thread.start()
    entered.wait()
    signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    signaled.set()
    thread.join()
    assert received == [signal.SIGTERM]


def test_a_signal_without_a_training_is_handled_as_usual():
    assert catch_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_handlers_are_installed_in_another_thread():
    seen = []

    def work():
        with StopRequest():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_full_disk_does_not_stop_the_training_and_is_logged_once(tmp_path, monkeypatch, caplog):
    calls = []

    def full_from_the_second_on(arrays, path, metadata):
        calls.append(path)
        if len(calls) > 1:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(arrays, path, metadata=metadata)

    monkeypatch.setattr("byol_kedro.datasets.checkpoints.save_file", full_from_the_second_on)
    parameters = recipe(checkpoint={"steps": 1})
    result = run(tmp_path / "a", parameters)
    assert caplog.text.count("no checkpoint after step") == 1
    assert "no checkpoint after step 2, training continues" in caplog.text
    assert len(calls) == 4
    monkeypatch.undo()
    assert Checkpoints(tmp_path / "a").of(identity()).newest().step == 1
    assert same(result, run(tmp_path / "b", parameters))


class Recorder:
    """Replaces a folder and records which steps are written and how many checkpoints are kept."""

    def __init__(self):
        self.calls = []

    def write(self, step, arrays, header, keep):
        self.calls.append((step, keep))


def written(monkeypatch, settings, seconds_per_step):
    now = [0.0]
    plan = Plan(recipe(epochs=5, checkpoint=settings), 16, 0)  # ten steps
    recorder = Recorder()
    monkeypatch.setattr("byol_kedro.pipelines.pretrain.checkpointing.take_snapshot", lambda *_: ({}, {}))
    checkpointer = Checkpointer(recorder, plan, StopRequest(), clock=lambda: now[0])
    state = small_state()
    for step in range(1, 11):
        now[0] += seconds_per_step
        state.step = step
        checkpointer(state, Monitor(CPU))
    return recorder.calls


def test_checkpoints_are_due_by_time_and_only_the_last_is_kept_at_the_end(monkeypatch):
    assert written(monkeypatch, {"minutes": 1, "keep": 3}, 20.0) == [(3, 3), (6, 3), (9, 3), (10, 1)]


def test_checkpoints_are_due_by_steps_if_that_is_sooner(monkeypatch):
    assert written(monkeypatch, {"minutes": 1, "steps": 4}, 1.0) == [(4, 2), (8, 2), (10, 1)]
