"""Temporary files of killed processes are removed, those of live processes are kept."""

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
    """Start a process that writes to `paths`; it is killed at the end of the test."""
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
def test_leftovers_are_removed_by_the_next_save(tmp_path, kind, number, writing):
    entry = tmp_path / f"a.{kind}"
    killed(writing(entry / OLD / entry.name, entry / OLD / "sidecar"), number)
    assert files_under(entry / OLD)
    dataset_of(kind, tmp_path, NEW).save(KINDS[kind][1])
    assert not (entry / OLD).exists()
    assert (entry / NEW / entry.name).exists()


@each_kind
def test_files_of_a_live_process_are_kept(tmp_path, kind, writing):
    entry = tmp_path / f"a.{kind}"
    writing(entry / OLD / entry.name, entry / OLD / "sidecar")
    before = files_under(entry / OLD)
    dataset_of(kind, tmp_path, NEW).save(KINDS[kind][1])
    assert files_under(entry / OLD) == before


def test_targets_of_links_are_kept(tmp_path, writing):
    killed(writing(tmp_path / "outside" / "a.json"))
    before = files_under(tmp_path / "outside")
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json" / OLD).symlink_to(tmp_path / "outside")
    dataset_of("json", tmp_path, NEW).save(KINDS["json"][1])
    assert files_under(tmp_path / "outside") == before


def test_only_leftovers_of_the_same_file_are_removed(tmp_path, writing):
    killed(writing(tmp_path / "encoder.onnx"))
    killed(writing(tmp_path / "other.onnx"))
    (tmp_path / ".mine.tmp").touch()
    before = {name for name in files_under(tmp_path) if "encoder.onnx" not in name}
    with replacing(tmp_path / "encoder.onnx") as temporary:
        temporary.write_bytes(b"whole")
    assert files_under(tmp_path) == before | {"encoder.onnx"}


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_files_are_written_without_lock_support(tmp_path, writing, monkeypatch, code):
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


def test_concurrent_writers_do_not_interfere(tmp_path):
    with replacing(tmp_path / "a") as first, replacing(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert files_under(tmp_path) == {"a"}
    assert (tmp_path / "a").read_text() == "first"


def test_training_removes_its_own_leftovers_only(tmp_path, writing):
    folder = Checkpoints(tmp_path).of({"epochs": 1})
    folder.write(1, {}, {}, 2)
    killed(writing(folder.path / "step-000000002.safetensors"))
    writing(folder.path / "step-000000004.safetensors")
    folder.write(3, {}, {}, 2)
    names = files_under(folder.path)
    assert not any("step-000000002" in name for name in names)
    assert sum("step-000000004" in name for name in names) == 2  # the file and its lock


def test_return_value_says_whether_files_were_removed(tmp_path, writing):
    assert not remove_leftovers(tmp_path / "none")
    living = writing(tmp_path / "a")
    assert not remove_leftovers(tmp_path)
    killed(living)
    assert remove_leftovers(tmp_path)
    assert files_under(tmp_path) == set()
