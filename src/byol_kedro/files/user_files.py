"""Checks of files given by the user: whether a path is a regular file, and whether a file has changed."""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path

from byol_kedro.errors import UserError

# Nanoseconds. FAT, HFS+, iso9660, squashfs and sshfs store times in seconds, exFAT in hundredths of a second.
COARSE = 10_000_000

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def is_regular(path: Path, name: str = "") -> bool:
    """Return whether `path` is a regular file; False if it does not exist.

    Opening a pipe would block, and a device may be endless.

    Args:
        path: The path.
        name: The parameter that it comes from, for messages.

    Raises:
        UserError: The path is a folder, pipe, device or broken link.
    """
    found = f"{name}: {path}" if name else str(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(
                f"{found} is a link to {path.readlink()}, which does not exist; a file is expected"
            ) from None
        return False
    except OSError as error:
        raise UserError(f"{found} cannot be read: {error.strerror}; a file is expected") from error
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "not a file")
        raise UserError(f"{found} is {kind}; a file is expected")
    return True


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        OSError: It does not exist or is something else.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")


def reason_of(error: OSError) -> str:
    """Return the reason of an error without the path, for example `Permission denied`."""
    return error.strerror or str(error)


def state_of(status: os.stat_result) -> str:
    """Return a text that changes whenever the content of a file may have changed; empty if metadata cannot tell.

    Name, size and mtime are not sufficient: all files of an archive may have one date, and copies keep their dates.
    `ctime` cannot be set: it changes with every write, even if the mtime is restored, and extracted or copied files
    have their own. The inode distinguishes files written in the same tick of the clock, the device those of two file
    systems. A file that was moved, copied, restored or mounted anew is read again at worst.

    File systems whose times have a resolution of 10 ms or more have no reliable `ctime`: most of them report another
    time instead, and renumber their inodes when they are mounted.
    """
    if status.st_ctime_ns % COARSE == 0:
        return ""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def content_hash(path: Path) -> str:
    """Return a hash (hex) of the content of a regular file.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        return file_digest(file, "blake2b").hexdigest()


def sha256_of(path: Path, name: str) -> str:
    """Return the SHA-256 (hex) of a regular file.

    Args:
        path: The file.
        name: The parameter that the path comes from, for messages.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{name}: {path} cannot be read: {reason_of(error)}") from error


def stamps(paths: Iterable[Path]) -> list[list[str]]:
    """Return path and state of each file for the `origin` of a source. To be called before the files are read."""
    return [[str(path.resolve()), _stamp(path)] for path in paths]


def _stamp(path: Path) -> str:
    with open_regular(path) as file:
        # Writes through a memory map change `ctime` only once until they are flushed to the disk.
        with suppress(OSError):  # not supported by the file system
            os.fsync(file.fileno())
        return state_of(os.fstat(file.fileno())) or content_hash(path)
