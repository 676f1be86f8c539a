"""What only one process at a time may do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from byol_kedro.log import get_logger

NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)

logger = get_logger(__name__)


@contextmanager
def alone(path: Path, told: str) -> Iterator[None]:
    """Hold the lock file `path`, which the system takes from a process however it ends.

    Where somebody else holds it, the line `told` is logged once, and the block begins when it is free. Where the file
    system has no locks, the block begins with a warning.

    Raises:
        OSError: the lock file cannot be created there.
    """
    # A soft lock, which is a file that is there, would outlive a process that is killed.
    lock = FileLock(path, fallback_to_soft=False)
    path.touch()  # where that is refused FileLock would try again for good
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("%s", told)
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        logger.warning("no locks in %s (%s): do not start the same twice at once", path.parent, error.strerror)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: who waits for it notices, and makes a new one
        lock.release()
