"""Trainings that are interrupted and started again."""

import time

import numpy as np
import pytest

from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.events import EventFolder
from byol_kedro.pipelines.pretrain.nodes import pretrain
from byol_kedro.pipelines.pretrain.resume import training_identity
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.trainings import CPU, recipe

TIMES = "images_per_second"


class InterruptedTrainingError(Exception):
    """Raised by a test instead of killing the process."""


def run(folder, parameters, seed=0, *, events=None, devices="auto", max_restarts=0):
    """A training with its checkpoints in `folder` and, if given, TensorBoard files in `events`."""
    files = EventFolder(events or folder)
    if events is not None and events.exists():
        time.sleep(1)  # event files are read in the order of the seconds in their names
    checkpoints, tensorboard = Checkpoints(folder), events is not None
    return pretrain(
        UNLABELED, TRAIN, checkpoints, files, parameters, seed, "cpu", str(devices), max_restarts, tensorboard
    )


def same(first, second):
    """Whether two results have the same tensors, bit for bit, and the same history."""
    for one, other in zip(first[:2], second[:2], strict=True):
        assert one.header == other.header
        assert one.arrays.keys() == other.arrays.keys()
        if not all(np.array_equal(array, other[name]) for name, array in one.arrays.items()):
            return False
    histories = [result[2].drop(columns=TIMES) for result in (first, second)]
    return bool(histories[0].equals(histories[1]))


def interrupt_after(monkeypatch, steps):
    """Interrupts the training in the step after `steps` steps."""
    from byol_kedro.byol.train import train_step  # noqa: PLC0415

    def step(state, views, **rates):
        if state.step == steps:
            raise InterruptedTrainingError
        return train_step(state, views, **rates)

    monkeypatch.setattr("byol_kedro.byol.train.train_step", step)


def run_interrupted(folder, parameters, steps, **given):
    with pytest.MonkeyPatch.context() as patch:
        interrupt_after(patch, steps)
        with pytest.raises(InterruptedTrainingError):
            run(folder, parameters, **given)


def identity(changes=None, seed=0, **fields):
    values = training_identity(recipe(**(changes or {})), UNLABELED, TRAIN, seed, CPU)
    return values | fields
