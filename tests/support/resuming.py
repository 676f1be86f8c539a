"""Trainings that die and are started again, for the tests of it."""

import time

import numpy as np
import pytest

from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.events import EventFolder
from byol_kedro.pipelines.pretrain.nodes import pretrain
from byol_kedro.pipelines.pretrain.resume import identity_of
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.trainings import CPU, recipe

TIMES = "images_per_second"


class DiedError(Exception):
    """What a test throws in the place of a death."""


def run(folder, parameters, seed=0, *, events=None):
    """A training with its checkpoints in `folder`, watched in TensorBoard where it has a folder for `events`."""
    files = EventFolder(events or folder)
    if events is not None and events.exists():
        time.sleep(1)  # event files are read in the order of the second in their names
    return pretrain(UNLABELED, TRAIN, Checkpoints(folder), files, parameters, seed, "cpu", events is not None)


def same(ours, theirs):
    """Whether two results have the same tensors, bit for bit, and the same history."""
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.header == other.header
        assert one.arrays.keys() == other.arrays.keys()
        if not all(np.array_equal(array, other[name]) for name, array in one.arrays.items()):
            return False
    histories = [result[2].drop(columns=TIMES) for result in (ours, theirs)]
    return bool(histories[0].equals(histories[1]))


def die_after(monkeypatch, steps):
    """The process dies in the step after `steps` of them."""
    from byol_kedro.byol.train import train_step  # noqa: PLC0415

    def step(state, views, **rates):
        if state.step == steps:
            raise DiedError
        return train_step(state, views, **rates)

    monkeypatch.setattr("byol_kedro.byol.train.train_step", step)


def died(folder, parameters, steps, **given):
    with pytest.MonkeyPatch.context() as patch:
        die_after(patch, steps)
        with pytest.raises(DiedError):
            run(folder, parameters, **given)


def what(changes=None, seed=0, **fields):
    values = identity_of(recipe(**(changes or {})), UNLABELED, TRAIN, seed, CPU)
    return values | fields
