"""Compares artifacts with their checksums, and says in one line what is wrong with one."""

import glob
import stat
from hashlib import file_digest
from pathlib import Path
from typing import Any, BinaryIO

from byol_kedro.errors import UserError
from byol_kedro.files.checked import agrees

CHECKSUM = ".sha256"  # what the name of a checksum file adds to that of its file
BLOCK = 1 << 20  # bytes that are read at once
KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
CHANGED = "holds other bytes than were written"


class DamagedError(UserError):
    """An artifact that cannot be used. `entry`: its name in the catalog; `fault`: what is wrong with the file."""

    def __init__(self, path: Path, fault: str) -> None:
        self.entry, self.path, self.fault = path.stem, path, fault
        super().__init__(self.told("what writes it"))

    def told(self, writer: str) -> str:
        """The line, with what is to be run again."""
        of = f"{self.entry} of {self.path.parent.name}: " if _is_version(self.path) else ""
        other = _other_version(self.path) if of else None
        remedy = f", or read another version: --load-versions={self.entry}:{other}" if other else ""
        return f"{of}{self.path} {self.fault}; run {writer} again, or restore it from a copy{remedy}"


def check_file(path: Path) -> None:
    """DamagedError where `path` is not there, cannot be read, or is no file: to open a pipe would wait for ever."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind == stat.S_IFREG:
            path.open("rb").close()
            return
    except OSError as error:
        raise unreadable(path, error) from error
    raise DamagedError(path, f"is a {KINDS.get(kind, 'device')}, a file is expected")


def unreadable(path: Path, error: OSError) -> DamagedError:
    """For what the file system says when a file is read."""
    missing = isinstance(error, FileNotFoundError)
    return DamagedError(path, "is missing" if missing else f"cannot be read: {error.strerror or error}")


def place(path: Path) -> str:
    """`path` from the folder of all versions on."""
    return f"{path.parent.name}/{path.name}" if _is_version(path) else path.name


def checksum_file(path: Path) -> Path:
    """Where the checksum of the artifact `path` lies: in a text file that `sha256sum --check` takes."""
    return path.with_name(path.name + CHECKSUM)


def checksum(content: Path, path: Path) -> str:
    """What goes into the checksum file of an artifact `path` with the bytes of `content`; it names the version, too."""
    return f"{_sha256(content)}  {place(path)}\n"


def check_sum(path: Path) -> None:
    """DamagedError where an artifact is not what was written under this name and version."""
    check_file(path)
    sums = checksum_file(path)
    try:
        check_file(sums)
        expected, _, written_for = sums.read_bytes().decode("utf-8", "replace").rstrip("\n").partition("  ")
    except DamagedError as error:
        raise DamagedError(path, f"cannot be checked: {error.path} {error.fault}") from error
    try:
        found = agrees(path, expected, _sha256)
    except OSError as error:
        raise unreadable(path, error) from error
    if not found:
        raise DamagedError(path, f"{CHANGED} ({path.stat().st_size} bytes found, checksum in {sums.name})")
    if written_for != place(path):
        raise DamagedError(path, f"is {written_for!r} by its checksum, {place(path)!r} is expected")


def hash_blocks(file: BinaryIO, size: int, digest: Any) -> None:
    """Adds the next `size` bytes of a file, or what there is of them. OSError where a disk cannot be read."""
    left = size
    # Read and not mapped: of a map that cannot be read a process dies.
    while left and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        left -= len(block)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _is_version(path: Path) -> bool:
    """Whether it lies in `<entry>.<ending>/<version>/`; the sidecar of an array has the name of its entry, too."""
    return path.parent.parent.stem == path.stem


def _other_version(path: Path) -> str | None:
    """The newest version beside that of `path`; None where it is the only one."""
    try:
        others = [at.parent.name for at in path.parent.parent.glob(f"*/{glob.escape(path.name)}") if at != path]
    except OSError:
        return None
    return max(others, default=None)
