"""What could break: points and images that TensorBoard does not show, or shows twice; a full disk."""

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


def test_points_are_those_that_were_written_and_what_was_not_measured_is_left_out(tmp_path):
    write(EventFolder(tmp_path), "a", 0, [1, 5])
    assert points(tmp_path / "a") == {"loss": [(1, 0.125), (5, 0.625)]}


def test_a_image_keeps_its_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    with EventFolder(tmp_path).writer("a", done=0) as writer:
        writer.image("views", 1, pixels)
    assert np.array_equal(image(tmp_path / "a", "views"), pixels)


def test_all_is_in_the_file_when_a_call_returns(tmp_path):
    with EventFolder(tmp_path).writer("a", done=0) as writer:
        writer.scalars(3, {"loss": 2.0})
        assert points(tmp_path / "a") == {"loss": [(3, 2.0)]}


def test_what_goes_on_from_an_earlier_step_voids_the_later_ones(tmp_path):
    folder = EventFolder(tmp_path)
    write(folder, "a", 0, [1, 2, 3, 4])
    write(folder, "a", 2, [3, 4, 5])
    assert [step for step, _ in points(tmp_path / "a")["loss"]] == [1, 2, 3, 4, 5]


def test_trainings_are_kept_apart(tmp_path):
    folder = EventFolder(tmp_path)
    write(folder, "a", 0, [1])
    assert folder.has_events("a")
    assert not folder.has_events("b")


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path, caplog, monkeypatch):
    with EventFolder(tmp_path).writer("a", done=0) as writer:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(writer._writer, "add_scalar", full)
        with caplog.at_level(logging.WARNING):
            for step in range(3):
                writer.scalars(step, {"loss": 1.0, "lr": 1.0})
    assert len(caplog.messages) == 1
    assert "No space left on device" in caplog.text


def test_a_place_where_nothing_can_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"), EventFolder(tmp_path / "file").writer("a", done=0):
        pass


def test_the_entry_of_the_catalog_makes_nothing_when_it_is_loaded(tmp_path):
    folder = EventsDataset(filepath=str(tmp_path / "events")).load()
    assert not folder.root.exists()
    assert not folder.has_events("a")


def test_where_the_package_is_missing_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("byol_kedro.parameters.find_spec", lambda _name: None)
    assert Parameters.tensorboard_is_installed(False) is False
    with pytest.raises(ValueError, match=r'pip install "byol-kedro\[tensorboard\]"'):
        Parameters.tensorboard_is_installed(True)
