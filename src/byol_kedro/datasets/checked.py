"""Which large files have been read and checked: one that has not changed since is not read a second time.

What tells that a file has not changed is device, inode, size and both of its times; the second, ctime, is set by the
system at every change and cannot be set back. Remembered is in the user's cache folder, since an artifact's own may
be read-only. Damage that the system does not know of, in a disk's cells, is found again by any machine or user that
has not checked the file, or after the cache folder was emptied.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LARGE = 32_000_000  # bytes; what is smaller is read in less time than a change needs to be told from the write
TICK = 20_000_000  # nanoseconds that the times of two changes may be equal for
SECOND = 1_000_000_000
WHOLE_SECONDS = 2 * SECOND  # the same where a file system keeps no fractions

_here: dict[str, str] = {}  # what this process has checked: mark → proof


@dataclass(frozen=True)
class Mark:
    """What a file is told by. `settled`: whether every later change will give another mark."""

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
    """For the process that has just written `path`, measuring it meanwhile: waits until a change would be noticed."""
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
            told, _, found = (folder / mark.name).read_text("utf-8").rpartition(" ")
            if told == mark.text:
                _here[mark.text] = found
    return _here.get(mark.text) == proof


def _remember(mark: Mark, proof: str) -> None:
    if not mark.settled:
        return
    _here[mark.text] = proof
    if mark.size >= LARGE and (folder := _folder()):
        with suppress(OSError):  # then it is read again by the next process
            folder.mkdir(parents=True, exist_ok=True)
            temporary = folder / f".{mark.name}.{os.getpid()}"
            temporary.write_text(f"{mark.text} {proof}", "utf-8")
            temporary.replace(folder / mark.name)


def _folder() -> Path | None:
    """Where other processes look; None for a user without a home."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111  # raises nothing
    return cache / "byol_kedro" / "checked" if cache.is_absolute() else None
