"""What could break: temporary files of killed processes that stay for good, or those of a living one that go."""

import errno
import multiprocessing
import os
import signal
import time

import pytest

from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.files.atomic import replacing, replacing_all
from byol_kedro.files.leftovers import remove_leftovers
from byol_kedro.files.locks import exclusive
from tests.support.dataset_kinds import KINDS, dataset_of, each_kind
from tests.support.image_datasets import NEW, OLD, files_under

FORK = multiprocessing.get_context("fork")


def write_slowly(paths):
    with replacing_all(paths) as temporaries:
        for temporary in temporaries:
            temporary.write_bytes(b"half of it")
        time.sleep(60)


@pytest.fixture
def writing():
    """Starts a process that is writing to `paths` when the call returns; it is killed at the end of the test."""
    processes = []

    def start(*paths):
        before = len(list(paths[0].parent.glob(".*.tmp")))  # of processes that were killed
        process = FORK.Process(target=write_slowly, args=(paths,))
        process.start()
        processes.append(process)
        while len(list(paths[0].parent.glob(".*.tmp"))) < before + len(paths):
            time.sleep(0.005)
        return process

    yield start
    for process in processes:
        process.kill()
        process.join()


def killed(process, number=signal.SIGKILL):
    process.kill() if number == signal.SIGKILL else process.terminate()
    process.join()
    assert process.exitcode == -number


@each_kind
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_run_left_of_an_entry_goes_with_the_next_save(tmp_path, kind, number, writing):
    entry = tmp_path / f"a.{kind}"
    killed(writing(entry / OLD / entry.name, entry / OLD / "sidecar"), number)
    assert files_under(entry / OLD)
    dataset_of(kind, tmp_path, NEW).save(KINDS[kind][1])
    assert not (entry / OLD).exists()
    assert (entry / NEW / entry.name).exists()


@each_kind
def test_what_a_living_run_writes_is_left_alone_by_one_beside_it(tmp_path, kind, writing):
    entry = tmp_path / f"a.{kind}"
    writing(entry / OLD / entry.name, entry / OLD / "sidecar")
    before = files_under(entry / OLD)
    dataset_of(kind, tmp_path, NEW).save(KINDS[kind][1])
    assert files_under(entry / OLD) == before


def test_what_lies_behind_a_version_that_is_a_link_is_left_alone(tmp_path, writing):
    killed(writing(tmp_path / "outside" / "a.json"))
    before = files_under(tmp_path / "outside")
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / OLD).symlink_to(tmp_path / "outside")
    dataset_of("json", tmp_path, NEW).save(KINDS["json"][1])
    assert files_under(tmp_path / "outside") == before


def test_of_a_users_folder_only_what_was_to_become_the_same_file_goes(tmp_path, writing):
    killed(writing(tmp_path / "encoder.onnx"))
    killed(writing(tmp_path / "other.onnx"))
    (tmp_path / ".mine.tmp").touch()
    before = {name for name in files_under(tmp_path) if "encoder.onnx" not in name}
    with replacing(tmp_path / "encoder.onnx") as temporary:
        temporary.write_bytes(b"whole")
    assert files_under(tmp_path) == before | {"encoder.onnx"}


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_where_the_file_system_has_no_locks_it_is_written_all_the_same(tmp_path, writing, monkeypatch, code):
    killed(writing(tmp_path / "a"))
    before = files_under(tmp_path)

    def refused(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refused)
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert files_under(tmp_path) - {"a"} == before  # who can tell whether their writer lives
    with exclusive(tmp_path / "lock", "waits"):
        pass


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert files_under(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "first"


def test_a_training_removes_what_it_left_when_it_was_killed_and_nothing_of_a_living_one(tmp_path, writing):
    folder = Checkpoints(tmp_path).of({"epochs": 1})
    folder.write(1, {}, {}, 2)
    killed(writing(folder.path / "step-000000002.safetensors"))
    writing(folder.path / "step-000000004.safetensors")
    folder.write(3, {}, {}, 2)
    names = files_under(folder.path)
    assert not any("step-000000002" in name for name in names)
    assert sum("step-000000004" in name for name in names) == 2  # the file and its lock


def test_it_says_whether_there_was_anything(tmp_path, writing):
    assert not remove_leftovers(tmp_path / "none")
    living = writing(tmp_path / "a")
    assert not remove_leftovers(tmp_path)
    killed(living)
    assert remove_leftovers(tmp_path)
    assert files_under(tmp_path) == set()
