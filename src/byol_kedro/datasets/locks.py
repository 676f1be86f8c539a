"""What only one process at a time may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from byol_kedro.log import get_logger

logger = get_logger(__name__)


@contextmanager
def alone(path: Path, told: str) -> Iterator[None]:
    """Hold the lock file `path`, which the system takes from a process however it ends.

    Where somebody else holds it, the line `told` is logged once, and the block begins when it is free.

    Raises:
        OSError: the lock file cannot be created there.
    """
    lock = FileLock(path)
    path.touch()  # where that is refused FileLock would try again for good
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("%s", told)
        lock.acquire()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who waits for it notices, and makes a new one
        lock.release()
