"""TensorBoard shows each value and image once, and a full disk does not stop a training."""

import errno
import logging
import math

import numpy as np
import pytest

from byol_kedro.datasets.events import EventFolder, EventsDataset
from byol_kedro.errors import UserError
from byol_kedro.parameters import Parameters
from tests.support.event_files import image, points


def write(folder, name, done, steps):
    with folder.writer(name, done=done) as writer:
        for step in steps:
            writer.scalars(step, {"loss": step / 8, "knn": math.nan})


def test_scalars_without_nan_are_written(tmp_path):
    write(EventFolder(tmp_path), "a", 0, [1, 5])
    assert points(tmp_path / "a") == {"loss": [(1, 0.125), (5, 0.625)]}


def test_image_pixels_are_exact(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    with EventFolder(tmp_path).writer("a", done=0) as writer:
        writer.image("views", 1, pixels)
    assert np.array_equal(image(tmp_path / "a", "views"), pixels)


def test_events_are_flushed(tmp_path):
    with EventFolder(tmp_path).writer("a", done=0) as writer:
        writer.scalars(3, {"loss": 2.0})
        assert points(tmp_path / "a") == {"loss": [(3, 2.0)]}


def test_later_steps_are_purged(tmp_path):
    folder = EventFolder(tmp_path)
    write(folder, "a", 0, [1, 2, 3, 4])
    write(folder, "a", 2, [3, 4, 5])
    assert [step for step, _ in points(tmp_path / "a")["loss"]] == [1, 2, 3, 4, 5]


def test_trainings_have_separate_folders(tmp_path):
    folder = EventFolder(tmp_path)
    write(folder, "a", 0, [1])
    assert folder.has_events("a")
    assert not folder.has_events("b")


def test_full_disk_is_logged_once(tmp_path, caplog, monkeypatch):
    with EventFolder(tmp_path).writer("a", done=0) as writer:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(writer._writer, "add_scalar", full)
        with caplog.at_level(logging.WARNING):
            for step in range(3):
                writer.scalars(step, {"loss": 1.0, "lr": 1.0})
    assert len(caplog.messages) == 1
    assert "No space left on device" in caplog.text


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"), EventFolder(tmp_path / "file").writer("a", done=0):
        pass


def test_load_creates_nothing(tmp_path):
    folder = EventsDataset(filepath=str(tmp_path / "events")).load()
    assert not folder.root.exists()
    assert not folder.has_events("a")


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("byol_kedro.parameters.find_spec", lambda _name: None)
    assert Parameters.check_tensorboard(False) is False
    with pytest.raises(ValueError, match="pip install tensorboard"):
        Parameters.check_tensorboard(True)
