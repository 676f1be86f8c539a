"""What could break: SIGKILL at any moment, in the middle of a write too, changes what the training ends with."""

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
# It imports once what each of its children would take seconds to import.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__])


def train_to(folder, result):
    """In a process of its own: trains, and puts all tensors into the file `result`."""
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


def killed_at_some_moment(folder, result, rng):
    """Whether the process was alive; it dies after its next checkpoint or a little later, even while it writes one."""
    process, before = start(folder, result), set(folder.rglob("step-*"))
    while process.is_alive() and set(folder.rglob("step-*")) <= before:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.05))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_killed_again_and_again_it_ends_with_the_same_tensors(undisturbed, tmp_path):
    rng = random.Random(time.time_ns())  # any moment will do
    folder, result = tmp_path / "checkpoints", tmp_path / "result"
    assert all(killed_at_some_moment(folder, result, rng) for _ in range(KILLS))
    start(folder, result).join()
    resumed = load_file(result)
    assert resumed.keys() == undisturbed.keys()
    assert all(np.array_equal(array, resumed[name]) for name, array in undisturbed.items())
