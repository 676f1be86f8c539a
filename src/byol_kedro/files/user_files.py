"""Files that the user names: that each is a file, and whether it is still the one that was read."""

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path

from byol_kedro.errors import UserError

# Nanoseconds. Times of FAT, HFS+, iso9660, squashfs and sshfs are whole seconds, those of exFAT hundredths of one.
COARSE = 10_000_000

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def is_regular(path: Path, name: str = "") -> bool:
    """Whether there is a regular file at `path`; False where there is nothing.

    To open a pipe waits for somebody who writes into it, and a device may have no end. `name` is the parameter that
    gave the path.

    Raises:
        UserError: something else is there: a folder, a pipe, a device, a link that leads nowhere.
    """
    found = f"{name}: {path}" if name else str(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UserError(f"{found} is a link to {path.readlink()}, which is not there; a file is expected") from None
        return False
    except OSError as error:
        raise UserError(f"{found} cannot be read: {error.strerror}; a file is expected") from error
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no file")
        raise UserError(f"{found} is {kind}; a file is expected")
    return True


def open_regular(path: Path) -> BufferedReader:
    """The file, opened for reading. Raises OSError where there is none, or something else."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "no file", str(path))
    return path.open("rb")


def reason_of(error: OSError) -> str:
    """`Permission denied`, without the path."""
    return error.strerror or str(error)


def state_of(status: os.stat_result) -> str:
    """A text that differs whenever the file may have another content; empty where only its content can tell.

    Name, size and time do not tell: all files of an archive may have one date, and copies keep theirs. Nobody can set
    `ctime`: it changes with each write, also where the modification time is set back, and an unpacked or copied file
    has one of its own. The inode tells files apart that were made in the same tick of the clock, the device those of
    two file systems. So a file that was moved, copied, restored, or mounted anew is at worst read again.

    Where times have only hundredths of a second there is no such `ctime`: most of these file systems show another time
    in its place, and number their inodes anew when they are mounted.
    """
    if status.st_ctime_ns % COARSE == 0:
        return ""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def content_of(path: Path) -> str:
    """A digest (hex) of all of a regular file. Raises OSError."""
    with open_regular(path) as file:
        return file_digest(file, "blake2b").hexdigest()


def stamps(paths: Iterable[Path]) -> list[list[str]]:
    """Where each file lies and what it is, for an `origin`. Taken before the files are read."""
    return [[str(path.resolve()), _stamp(path)] for path in paths]


def _stamp(path: Path) -> str:
    with open_regular(path) as file:
        # What a program writes by a memory map changes `ctime` once until it is on the disk; later changes would not.
        with suppress(OSError):  # a file system that cannot do it
            os.fsync(file.fileno())
        return state_of(os.fstat(file.fileno())) or content_of(path)
