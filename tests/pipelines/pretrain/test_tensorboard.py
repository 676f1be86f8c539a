"""TensorBoard shows the history and the first views of a training."""

import logging

import numpy as np
import pytest

from byol_kedro.pipelines.pretrain.nodes import show_views
from tests.support.event_files import image, points
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.resuming import TIMES, run, run_interrupted, same
from tests.support.trainings import recipe


def only(folder):
    (training,) = folder.iterdir()
    return training


def curves_of(history):
    """The expected curves of a history: float32, without points for missing values."""
    columns = {name: history[["step", name]].dropna() for name in history.columns if name not in ("step", TIMES)}
    return {name: [tuple(point) for point in column.to_numpy(np.float32)] for name, column in columns.items()}


def shown(folder):
    curves = points(only(folder))
    assert len(curves.pop(TIMES)) == len(curves["loss"])
    return curves


def test_curves_are_the_history_and_the_image_has_the_first_views(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        _, _, history = run(tmp_path / "a", recipe(), events=tmp_path / "events")
    assert shown(tmp_path / "events") == curves_of(history)
    expected = show_views(UNLABELED, TRAIN, recipe(), 0)
    assert np.array_equal(image(only(tmp_path / "events"), "first_views"), expected)
    name = only(tmp_path / "events").name
    assert name.startswith("test-")
    assert f"TensorBoard: run {name} of tensorboard --logdir {tmp_path / 'events'}" in caplog.text


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_a_resumed_training_shows_each_step_once(tmp_path, steps):
    parameters, events = recipe(epochs=3, checkpoint={"steps": 2}), tmp_path / "events"
    run_interrupted(tmp_path / "a", parameters, steps, events=events)
    again = run(tmp_path / "a", parameters, events=events)
    assert shown(events) == curves_of(again[2])
    assert image(only(events), "first_views").ndim == 3


def test_a_repeated_training_replaces_the_old_one(tmp_path):
    run(tmp_path / "a", recipe(), events=tmp_path / "events")
    again = run(tmp_path / "a", recipe(resume=False), events=tmp_path / "events")
    assert shown(tmp_path / "events") == curves_of(again[2])
    assert image(only(tmp_path / "events"), "first_views").ndim == 3


def test_a_finished_training_is_shown_if_tensorboard_is_switched_on_later(tmp_path):
    first = run(tmp_path / "a", recipe())
    again = run(tmp_path / "a", recipe(), events=tmp_path / "events")
    assert same(first, again)
    assert shown(tmp_path / "events") == curves_of(first[2])


def test_without_tensorboard_there_are_no_event_files(tmp_path):
    run(tmp_path, recipe())
    assert list(tmp_path.rglob("events*")) == []
