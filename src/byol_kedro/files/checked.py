"""Remembers which files have been verified against their hashes, so that an unchanged file is read only once.

A file is unchanged while its device, inode, size, mtime and ctime are the same. The system sets ctime at every change,
and no program can reset it. Each process remembers all files that it has verified. Large files are also recorded in the
cache folder of the user (`$XDG_CACHE_HOME` or ~/.cache), because the folder of an artifact may be read-only. Disk
errors change no time; they are found when a file is read that is not recorded, for example after a copy.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LARGE = 32_000_000  # bytes; reading a smaller file takes about as long as waiting for TICK
TICK = 20_000_000  # nanoseconds; changes within it may have equal times
SECOND = 1_000_000_000
WHOLE_SECONDS = 2 * SECOND  # the same for file systems without fractions of seconds

_verified: dict[str, str] = {}  # files that this process has verified: state → hash


@dataclass(frozen=True)
class FileState:
    """The metadata of a file: `text` changes with every later write if the state `is_settled`."""

    text: str
    name: str
    size: int
    is_settled: bool


def matches(path: Path, expected: str, compute_hash: Callable[[Path], str]) -> bool:
    """Return whether the hash of a file is as expected; an unchanged file is hashed only once.

    Args:
        path: The file.
        expected: The expected hash.
        compute_hash: Reads the file and returns its hash.

    Raises:
        OSError: The file cannot be read.
    """
    state = _state(path)
    if _is_verified(state, expected):
        return True
    if compute_hash(path) != expected:
        return False
    _remember(state, expected)
    return True


def mark_verified(path: Path, content_hash: str) -> None:
    """Record the hash of a file that this process has just written, after waiting until a change would be noticed."""
    if path.stat().st_size >= LARGE:
        time.sleep(TICK / SECOND)
        _remember(_state(path), content_hash)


def _state(path: Path) -> FileState:
    now, status = time.time_ns(), path.stat()
    times = (status.st_mtime_ns, status.st_ctime_ns)
    resolution = TICK if times[1] % SECOND else WHOLE_SECONDS
    text = f"{status.st_dev} {status.st_ino} {status.st_size} {times[0]} {times[1]}"
    return FileState(text, f"{status.st_dev}-{status.st_ino}", status.st_size, now - times[1] >= resolution)


def _is_verified(state: FileState, expected: str) -> bool:
    if state.text not in _verified and state.size >= LARGE and (folder := _cache_folder()):
        with suppress(OSError, ValueError):
            recorded, _, found = (folder / state.name).read_text("utf-8").rpartition(" ")
            if recorded == state.text:
                _verified[state.text] = found
    return _verified.get(state.text) == expected


def _remember(state: FileState, content_hash: str) -> None:
    if not state.is_settled:
        return
    _verified[state.text] = content_hash
    if state.size >= LARGE and (folder := _cache_folder()):
        with suppress(OSError):  # then the next process reads the file again
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{state.name}.{os.getpid()}"
            temporary.write_text(f"{state.text} {content_hash}", "utf-8")
            temporary.replace(folder / state.name)


def _cache_folder() -> Path | None:
    """The folder shared with other processes; None if the user has no home folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111  # raises nothing
    return cache / "byol_kedro" / "checked" if cache.is_absolute() else None
