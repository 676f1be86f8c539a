"""Temporary files, and the removal of those that killed processes have left.

A process that writes temporary files holds a lock next to them, which the system releases when the process ends.
"""

import os
import re
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<mark>[0-9a-f]+)\.(tmp|lock)", re.DOTALL)

LOCK_TIMEOUT = 10.0  # seconds; other processes hold this lock only for a moment, to test it


@contextmanager
def temporary_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield a temporary path for each of `paths`, which are in one folder; they are removed at the end.

    Leftovers of killed processes for the same files are removed first.
    """
    mark, last = uuid.uuid4().hex[:8], paths[-1]
    remove_leftovers(last.parent, {path.name for path in paths})
    files = [path.with_name(f".{path.name}.{mark}.tmp") for path in paths]
    lock = FileLock(_lock_path(last, mark), fallback_to_soft=False)
    Path(lock.lock_file).touch()  # if that fails, FileLock would retry forever
    with suppress(OSError):  # a file system without locks, where leftovers are not removed
        lock.acquire(timeout=LOCK_TIMEOUT)
    try:
        yield files
    finally:
        _unlink([*files, Path(lock.lock_file)])  # the lock file while it is held, so that nobody else can have it
        lock.release()


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> bool:
    """Remove temporary files of killed processes from a folder.

    Args:
        folder: The folder.
        names: The files whose temporary files are removed; all by default.

    Returns:
        Whether there were any. Files that cannot be removed are left.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            parts = TEMPORARY.fullmatch(entry.name)
            if parts and (names is None or parts["name"] in names):
                found[parts["mark"]].append(Path(entry.path))
    removed = [_remove(mark, files) for mark, files in found.items()]
    return any(removed)


def _remove(mark: str, files: list[Path]) -> bool:
    path = next((file for file in files if file.suffix == ".lock"), _lock_path(files[0], mark))
    lock = FileLock(path, fallback_to_soft=False)
    with suppress(OSError), lock.acquire(blocking=False):  # Timeout is an OSError: the writer is alive
        _unlink([*files, path])
        return True
    return False


def _lock_path(path: Path, mark: str) -> Path:
    return path.with_name(f".{path.name}.{mark}.lock")


def _unlink(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()
