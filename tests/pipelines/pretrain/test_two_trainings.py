"""Two processes that run the same training: the second waits for the first."""

import logging
import multiprocessing
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from byol_kedro.datasets.checkpoints import Checkpoints
from tests.support.resuming import run
from tests.support.trainings import recipe

RECIPE = {"epochs": 8, "checkpoint": {"steps": 1}}  # 16 steps
WAITS = "another process runs the same training"
# Imports once what each child would otherwise import for seconds.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__, "timm", "torch._dynamo"])


def train_to(place, name, hold):
    """Trains in its own process, with its log in `<name>.log` and all tensors in `<name>`.

    With `hold` it waits after two steps until there is a file `release`.
    """
    logging.basicConfig(filename=place / f"{name}.log", level=logging.INFO)
    from byol_kedro.byol.train import train_step  # noqa: PLC0415

    def step(state, views, **rates):
        if hold and state.step == 2:
            wait_for((place / "release").exists)
        return train_step(state, views, **rates)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byol_kedro.byol.train.train_step", step)
        encoder, heads, _ = run(place / "checkpoints", recipe(**RECIPE))
    save_file({**encoder.arrays, **heads.arrays}, place / name)


def start(place, name, *, hold=False):
    process = SERVER.Process(target=train_to, args=(place, name, hold))
    process.start()
    return process


def wait_for(what):
    end = time.monotonic() + 300  # enough for a busy machine
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def log(place, name):
    path = place / f"{name}.log"
    return path.read_text() if path.exists() else ""


def checkpoints(place):
    return list((place / "checkpoints").rglob("step-*"))


def same(*files):
    first, *others = (load_file(file) for file in files)
    return all(np.array_equal(array, other[name]) for other in others for name, array in first.items())


def test_the_second_process_waits_and_reuses_the_result(tmp_path):
    first = start(tmp_path, "first", hold=True)
    wait_for(lambda: checkpoints(tmp_path))
    second = start(tmp_path, "second")
    wait_for(lambda: WAITS in log(tmp_path, "second"))
    assert first.is_alive()
    (tmp_path / "release").touch()
    first.join()
    second.join()
    assert same(tmp_path / "first", tmp_path / "second")
    assert "this training is already finished" in log(tmp_path, "second")
    assert "damaged" not in log(tmp_path, "first") + log(tmp_path, "second")


def test_the_second_process_resumes_if_the_first_is_killed(tmp_path):
    (tmp_path / "alone").mkdir()
    start(tmp_path / "alone", "whole").join()
    first = start(tmp_path, "first", hold=True)
    wait_for(lambda: checkpoints(tmp_path))
    second = start(tmp_path, "second")
    wait_for(lambda: WAITS in log(tmp_path, "second"))
    first.kill()
    first.join()
    second.join()
    assert "resuming from step" in log(tmp_path, "second")
    assert same(tmp_path / "alone" / "whole", tmp_path / "second")
    assert not [path for path in (tmp_path / "checkpoints").rglob(".*") if path.is_file()]


def test_another_training_does_not_wait(tmp_path, caplog):
    with Checkpoints(tmp_path).of({"epochs": 1}).locked(), Checkpoints(tmp_path).of({"epochs": 2}).locked():
        assert WAITS not in caplog.text


def test_training_runs_without_a_lock_if_none_is_possible(tmp_path):
    (tmp_path / "checkpoints").write_text("a file instead of the folder")
    encoder, _, _ = run(tmp_path / "checkpoints", recipe(epochs=1))
    assert encoder.arrays
