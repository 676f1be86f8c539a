"""Changed files are always detected, and unchanged ones are read only once."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from byol_kedro.files import checked
from byol_kedro.files.checked import mark_verified, matches


class Reader:
    """Hashes files and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, path: Path) -> str:
        self.times += 1
        return sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as large and is old enough that a change shows."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(checked, "LARGE", 1)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    settle()
    return path


def settle() -> None:
    time.sleep(2 * checked.TICK / checked.SECOND)


def hash_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "_verified", {})


def test_an_unchanged_file_is_read_once(large, reader, monkeypatch):
    for _ in range(3):
        assert matches(large, hash_of(large), reader)
    another_process(monkeypatch)
    assert matches(large, hash_of(large), reader)
    assert reader.times == 1


def test_a_small_file_is_read_once_per_process(large, reader, monkeypatch):
    monkeypatch.setattr(checked, "LARGE", 100)
    for _ in range(3):
        assert matches(large, hash_of(large), reader)
    assert reader.times == 1
    another_process(monkeypatch)
    assert matches(large, hash_of(large), reader)
    assert reader.times == 2


def test_a_file_marked_as_verified_is_not_read(large, reader, monkeypatch):
    mark_verified(large, hash_of(large))
    assert matches(large, hash_of(large), reader)
    another_process(monkeypatch)
    assert matches(large, hash_of(large), reader)
    assert reader.times == 0


def test_a_mismatch_is_not_remembered(large, reader):
    for _ in range(2):
        assert not matches(large, "another hash", reader)
    assert reader.times == 2


def overwrite(path: Path) -> None:
    path.write_bytes(b"CONTENT")


def overwrite_and_restore_mtime(path: Path) -> None:
    before = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_and_restore_mtime(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def change_by_another_name(path: Path) -> None:
    os.link(path, path.with_name("link"))
    path.with_name("link").write_bytes(b"CONTENT")


@pytest.mark.parametrize(
    "change",
    [overwrite, overwrite_and_restore_mtime, replace_and_restore_mtime, change_by_another_name],
)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["the same process", "another process"])
def test_change_after_verification_is_detected(large, reader, change, elsewhere, monkeypatch):
    proof = hash_of(large)
    assert matches(large, proof, reader)
    change(large)
    if elsewhere:
        another_process(monkeypatch)
    assert not matches(large, proof, reader)


@pytest.mark.parametrize("change", [overwrite, overwrite_and_restore_mtime])
def test_change_after_writing_is_detected(large, reader, change):
    for _ in range(20):
        large.write_bytes(b"content")
        proof = hash_of(large)
        mark_verified(large, proof)
        change(large)
        assert not matches(large, proof, reader)


def test_change_of_a_new_small_file_is_detected(large, reader, monkeypatch):
    monkeypatch.setattr(checked, "LARGE", 100)
    for _ in range(20):
        large.write_bytes(b"content")
        proof = hash_of(large)
        assert matches(large, proof, reader)
        overwrite(large)
        assert not matches(large, proof, reader)


def test_recent_file_with_coarse_times_is_not_remembered(large, reader, monkeypatch):
    """Otherwise a second write within the same second would not be detected."""
    status = large.stat()

    class Whole:
        st_dev, st_ino, st_size, st_mtime_ns = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        st_ctime_ns = status.st_ctime_ns // checked.SECOND * checked.SECOND

    monkeypatch.setattr(Path, "stat", lambda _: Whole)
    monkeypatch.setattr(checked.time, "time_ns", lambda: Whole.st_ctime_ns + checked.SECOND)
    assert matches(large, hash_of(large), reader)
    assert matches(large, hash_of(large), reader)
    assert reader.times == 2


def read_only(cache: Path) -> None:
    cache.write_text("a file in the place of the folder")


def cut(cache: Path) -> None:
    for path in cache.rglob("*-*"):
        path.write_text(path.read_text("utf-8")[:20], "utf-8")


def not_text(cache: Path) -> None:
    for path in cache.rglob("*-*"):
        path.write_bytes(b"\xff\xfe")


def test_file_is_read_by_each_process_without_a_cache(large, reader, monkeypatch):
    read_only(large.parent / "cache")
    for _ in range(2):
        another_process(monkeypatch)
        assert matches(large, hash_of(large), reader)
    assert reader.times == 2


@pytest.mark.parametrize("harm", [cut, not_text])
def test_damaged_cache_is_ignored(large, reader, harm, monkeypatch):
    matches(large, hash_of(large), reader)
    harm(large.parent / "cache")
    another_process(monkeypatch)
    assert matches(large, hash_of(large), reader)
    assert reader.times == 2


def test_cache_is_not_next_to_the_file(large, reader):
    matches(large, hash_of(large), reader)
    assert {path.name for path in large.parent.iterdir()} == {"file", "cache"}


def test_no_cache_without_a_home_folder(large, reader, monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert matches(large, hash_of(large), reader)
    assert not (tmp_path / "~").exists()
