"""Files are written completely or not at all, and failed writes are reported."""

import errno
import os
from pathlib import Path

import pytest

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import replacing, replacing_all
from tests.support.image_datasets import files_under


def test_file_exists_after_the_block(tmp_path):
    with replacing(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
    assert files_under(tmp_path) == {"new", "new/a.txt"}
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"


def write_half(path, error, needed=None):
    with replacing(path, needed) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failed_block_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        write_half(tmp_path / "deep" / "new" / "a.txt", error)
    assert files_under(tmp_path) == set()


def test_failure_keeps_the_existing_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path, RuntimeError)
    assert files_under(tmp_path) == {"a.txt"}
    assert path.read_text() == "old"


def test_folder_used_by_another_save_stays(tmp_path):
    def other_save_then_failure():
        with replacing(tmp_path / "new" / "a.txt"):
            (tmp_path / "new" / "b.txt").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        other_save_then_failure()
    assert files_under(tmp_path) == {"new", "new/b.txt"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("kind", [OSError, lambda code, text: RuntimeError(f"I/O error: {text} (os error {code})")])
def test_full_disk_reports_needed_and_free_space(tmp_path, code, kind):
    with pytest.raises(UserError) as caught:
        write_half(tmp_path / "new" / "a.bin", kind(code, os.strerror(code)), needed=3_000_000_000)
    message = str(caught.value)
    assert "a.bin" in message
    assert "3.0 GB needed" in message
    assert "free" in message
    assert "\n" not in message


def test_missing_inodes_are_reported(tmp_path, monkeypatch):
    disk = os.statvfs(tmp_path)
    none_left = os.statvfs_result((*disk[:5], 1000, 0, 0, *disk[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _: none_left)
    with pytest.raises(UserError, match=r"could not write a\.bin .*\(no inodes free: there are too many files"):
        write_half(tmp_path / "a.bin", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def test_unlimited_inodes_report_bytes(tmp_path, monkeypatch):
    disk = os.statvfs(tmp_path)
    uncounted = os.statvfs_result((disk[0], 1000, disk[2], disk[3], 3_000_000, 0, 0, 0, *disk[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _: uncounted)
    with pytest.raises(UserError, match=r"\(3\.0 GB free\)"):
        write_half(tmp_path / "a.bin", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def test_full_disk_at_mkdir_is_reported(tmp_path, monkeypatch):
    make = Path.mkdir

    def only_the_first(self, **options):
        if self.name == "new":
            raise OSError(errno.ENOSPC, "full")
        make(self, **options)

    monkeypatch.setattr(Path, "mkdir", only_the_first)
    with pytest.raises(UserError):
        write_half(tmp_path / "deep" / "new" / "a.bin", None)
    assert files_under(tmp_path) == set()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EFBIG])
def test_refused_write_names_the_file(tmp_path, code):
    with pytest.raises(UserError, match=rf"a\.bin cannot be written: .*{os.strerror(code)}"):
        write_half(tmp_path / "a.bin", OSError(code, os.strerror(code)))
    assert files_under(tmp_path) == set()


def test_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: .*Not a directory"):
        write_half(tmp_path / "file" / "new" / "a.bin", None)


def write_empty(paths):
    with replacing_all(paths) as temporaries:
        for temporary in temporaries:
            temporary.touch()


def test_failed_move_leaves_neither_file(tmp_path, monkeypatch):
    move = Path.replace

    def only_the_first(self: Path, target: Path) -> Path:
        if target.name == "second":
            raise OSError(errno.ENOSPC, "full")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", only_the_first)
    paths = [tmp_path / "new" / "first", tmp_path / "new" / "second"]
    with pytest.raises(UserError):
        write_empty(paths)
    assert files_under(tmp_path) == set()


def test_files_are_flushed_before_they_are_moved(tmp_path, monkeypatch):
    events = []
    move, sync = Path.replace, os.fsync
    monkeypatch.setattr(Path, "replace", lambda self, target: (events.append("move"), move(self, target))[1])
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("flush"), sync(descriptor))[1])
    write_empty([tmp_path / "a", tmp_path / "b"])
    assert events[:4] == ["flush", "flush", "move", "move"]
