"""Locks between processes."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from byol_kedro.log import get_logger

NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)

logger = get_logger(__name__)


@contextmanager
def exclusive(path: Path, message: str) -> Iterator[None]:
    """Hold a lock during the block; the system releases it when the process ends.

    If the file system does not support locks, the block runs after a warning.

    Args:
        path: The lock file.
        message: Logged once if another process holds the lock.

    Raises:
        OSError: The lock file cannot be created.
    """
    # A soft lock would remain after the process is killed.
    lock = FileLock(path, fallback_to_soft=False)
    path.touch()  # if that fails, FileLock would retry forever
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("%s", message)
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        logger.warning("no locks in %s (%s): do not run the same command twice at once", path.parent, error.strerror)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held; a waiting process notices and creates a new one
        lock.release()
