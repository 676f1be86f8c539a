"""What could break: two processes at the same training that delete each other's files, or a lock that outlives one."""

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
WAITS = "another process is at this very training"
# It imports once what each of its children would take seconds to import.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__])


def train_to(place, name, seconds_a_step):
    """In a process of its own: trains, with what it logs in `<name>.log` and all tensors in `<name>`."""
    logging.basicConfig(filename=place / f"{name}.log", level=logging.INFO)
    from byol_kedro.byol.train import train_step  # noqa: PLC0415

    def step(state, views, **rates):
        time.sleep(seconds_a_step)
        return train_step(state, views, **rates)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byol_kedro.byol.train.train_step", step)
        encoder, heads, _ = run(place / "checkpoints", recipe(**RECIPE))
    save_file({**encoder.arrays, **heads.arrays}, place / name)


def start(place, name, seconds_a_step=0.0):
    process = SERVER.Process(target=train_to, args=(place, name, seconds_a_step))
    process.start()
    return process


def wait_for(what):
    end = time.monotonic() + 300  # machines that do much else besides
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


def test_the_second_waits_says_so_and_takes_what_the_first_has_finished(tmp_path):
    first = start(tmp_path, "first", 0.1)
    wait_for(lambda: checkpoints(tmp_path))
    second = start(tmp_path, "second")
    wait_for(lambda: WAITS in log(tmp_path, "second"))
    assert first.is_alive()
    first.join()
    second.join()
    assert same(tmp_path / "first", tmp_path / "second")
    assert "this training is finished" in log(tmp_path, "second")
    assert "WARNING" not in log(tmp_path, "first") + log(tmp_path, "second")


def test_when_the_first_is_killed_the_second_goes_on_from_its_checkpoint(tmp_path):
    (tmp_path / "alone").mkdir()
    start(tmp_path / "alone", "whole").join()
    first = start(tmp_path, "first", 0.3)
    wait_for(lambda: checkpoints(tmp_path))
    second = start(tmp_path, "second")
    wait_for(lambda: WAITS in log(tmp_path, "second"))
    first.kill()
    first.join()
    second.join()
    assert "goes on from step" in log(tmp_path, "second")
    assert same(tmp_path / "alone" / "whole", tmp_path / "second")
    assert not [path for path in (tmp_path / "checkpoints").rglob(".*") if path.is_file()]


def test_another_training_beside_it_does_not_wait(tmp_path, caplog):
    with Checkpoints(tmp_path).of({"epochs": 1}).locked(), Checkpoints(tmp_path).of({"epochs": 2}).locked():
        assert WAITS not in caplog.text


def test_where_no_lock_can_be_had_it_trains_all_the_same(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in the place of the folder")
    encoder, _, _ = run(tmp_path / "checkpoints", recipe(epochs=1))
    assert encoder.arrays
