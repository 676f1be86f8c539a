"""SIGKILL at any moment, even during a write, does not change the result of a training."""

import multiprocessing
import random
import signal
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.support.resuming import run
from tests.support.trainings import recipe

KILLS = 3
# Imports once what each child would otherwise import for seconds.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__, "timm", "torch._dynamo"])


def train_to(folder, result):
    """Trains in its own process and writes all tensors to the file `result`."""
    encoder, heads, _ = run(folder, recipe(epochs=8, checkpoint={"steps": 1}))
    save_file({**encoder.arrays, **heads.arrays}, result)


def start(folder, result):
    process = SERVER.Process(target=train_to, args=(folder, result))
    process.start()
    return process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    place = tmp_path_factory.mktemp("undisturbed")
    process = start(place / "checkpoints", place / "result")
    process.join()
    return load_file(place / "result")


def killed_at_a_random_moment(folder, result, rng):
    """Kills the process after its next checkpoint or a little later; returns whether it was alive."""
    process, before = start(folder, result), set(folder.rglob("step-*"))
    while process.is_alive() and set(folder.rglob("step-*")) <= before:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.05))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_repeated_kills_do_not_change_the_result(undisturbed, tmp_path):
    rng = random.Random(time.time_ns())  # a different moment in each run
    folder, result = tmp_path / "checkpoints", tmp_path / "result"
    assert all(killed_at_a_random_moment(folder, result, rng) for _ in range(KILLS))
    start(folder, result).join()
    resumed = load_file(result)
    assert resumed.keys() == undisturbed.keys()
    assert all(np.array_equal(array, resumed[name]) for name, array in undisturbed.items())
