"""Remembers which files have been compared with their sums, so that an unchanged one is read only once.

A file counts as unchanged while device, inode, size, mtime and ctime are the same. The system sets ctime at every
change, and no program can set it back. Each process remembers all files; large ones are also noted in the user's
cache folder (`$XDG_CACHE_HOME` or ~/.cache), since the folder of an artifact may be read-only. Errors of the disk
itself change no time: they are found when a file is read that is not noted, after a copy for example.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LARGE = 32_000_000  # bytes; to read a smaller file takes about as long as to wait for TICK
TICK = 20_000_000  # nanoseconds: changes that are closer may have equal times
SECOND = 1_000_000_000
WHOLE_SECONDS = 2 * SECOND  # the same where a file system keeps no fractions

_here: dict[str, str] = {}  # files that this process has compared: mark → proof


@dataclass(frozen=True)
class Mark:
    """The identity of a file. `settled`: whether every later change gives another mark."""

    text: str
    name: str
    size: int
    settled: bool


def agrees(path: Path, proof: str, measure: Callable[[Path], str]) -> bool:
    """Whether `measure(path)` gives `proof`. Raises OSError as `measure` does."""
    mark = _mark(path)
    if _known(mark, proof):
        return True
    if measure(path) != proof:
        return False
    _remember(mark, proof)
    return True


def written(path: Path, proof: str) -> None:
    """Notes that the process which has just written `path` has measured it; waits until a change would be noticed."""
    if path.stat().st_size >= LARGE:
        time.sleep(TICK / SECOND)
        _remember(_mark(path), proof)


def _mark(path: Path) -> Mark:
    now, status = time.time_ns(), path.stat()
    times = (status.st_mtime_ns, status.st_ctime_ns)
    grain = TICK if times[1] % SECOND else WHOLE_SECONDS
    text = f"{status.st_dev} {status.st_ino} {status.st_size} {times[0]} {times[1]}"
    return Mark(text, f"{status.st_dev}-{status.st_ino}", status.st_size, now - times[1] >= grain)


def _known(mark: Mark, proof: str) -> bool:
    if mark.text not in _here and mark.size >= LARGE and (folder := _folder()):
        with suppress(OSError, ValueError):
            noted, _, found = (folder / mark.name).read_text("utf-8").rpartition(" ")
            if noted == mark.text:
                _here[mark.text] = found
    return _here.get(mark.text) == proof


def _remember(mark: Mark, proof: str) -> None:
    if not mark.settled:
        return
    _here[mark.text] = proof
    if mark.size >= LARGE and (folder := _folder()):
        with suppress(OSError):  # then the next process reads the file again
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{mark.name}.{os.getpid()}"
            temporary.write_text(f"{mark.text} {proof}", "utf-8")
            temporary.replace(folder / mark.name)


def _folder() -> Path | None:
    """Where other processes look; None for a user without a home."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111  # raises nothing
    return cache / "byol_kedro" / "checked" if cache.is_absolute() else None
