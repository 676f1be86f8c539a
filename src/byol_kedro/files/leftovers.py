"""Temporary files, and how those that a killed process has left are told from those of one that lives.

Whoever writes temporary files holds a lock beside them, which the system takes from a process however it ends.
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

SECONDS = 10.0  # nobody else has this lock, except for a moment who looks whether it is held


@contextmanager
def temporary_files(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """A temporary path beside each of `paths`, which are of one folder; what is still there in the end is removed.

    What killed processes have left of the same files goes before.
    """
    mark, beside = uuid.uuid4().hex[:8], paths[-1]
    remove_leftovers(beside.parent, {path.name for path in paths})
    files = [path.with_name(f".{path.name}.{mark}.tmp") for path in paths]
    lock = FileLock(_lock_of(beside, mark), fallback_to_soft=False)
    Path(lock.lock_file).touch()  # where that is refused FileLock would try again for good
    with suppress(OSError):  # a file system without locks: there nobody removes what others have left
        lock.acquire(timeout=SECONDS)
    try:
        yield files
    finally:
        _unlink([*files, Path(lock.lock_file)])  # the lock while it is held: nobody else can have it meanwhile
        lock.release()


def remove_leftovers(folder: Path, names: Collection[str] | None = None) -> bool:
    """Remove from `folder` the temporary files whose writer is gone: of files of these `names`, or of all.

    Returns:
        Whether there were any. What cannot be removed stays: it is in nobody's way.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            parts = TEMPORARY.fullmatch(entry.name)
            if parts and (names is None or parts["name"] in names):
                found[parts["mark"]].append(Path(entry.path))
    gone = [_remove(mark, files) for mark, files in found.items()]
    return any(gone)


def _remove(mark: str, files: list[Path]) -> bool:
    path = next((file for file in files if file.suffix == ".lock"), _lock_of(files[0], mark))
    lock = FileLock(path, fallback_to_soft=False)
    with suppress(OSError), lock.acquire(blocking=False):  # Timeout, where the writer lives, is an OSError
        _unlink([*files, path])
        return True
    return False


def _lock_of(path: Path, mark: str) -> Path:
    return path.with_name(f".{path.name}.{mark}.lock")


def _unlink(files: Sequence[Path]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink()
