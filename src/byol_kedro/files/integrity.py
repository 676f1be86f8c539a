"""Verifies artifacts against their checksums."""

import glob
import stat
from hashlib import file_digest
from pathlib import Path
from typing import Any, BinaryIO

from byol_kedro.errors import UserError
from byol_kedro.files.checked import matches

CHECKSUM = ".sha256"  # suffix that is added to the file name
BLOCK = 1 << 20  # bytes per read
KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
CHANGED = "has changed since it was written"


class DamagedError(UserError):
    """An artifact that cannot be used.

    Attributes:
        entry: Its name in the catalog.
        path: The file.
        fault: What is wrong with it, following the path in a sentence.
    """

    def __init__(self, path: Path, fault: str) -> None:
        """Set the file and what is wrong with it."""
        self.entry, self.path, self.fault = path.stem, path, fault
        super().__init__(self.message_for("the pipeline that writes it"))

    def message_for(self, writer: str) -> str:
        """Return the message, with what to run again."""
        of = f"{self.entry} of {self.path.parent.name}: " if _is_version(self.path) else ""
        other = _other_version(self.path) if of else None
        remedy = f", or read another version: --load-versions={self.entry}:{other}" if other else ""
        return f"{of}{self.path} {self.fault}; run {writer} again, or restore the file{remedy}"


def check_file(path: Path) -> None:
    """Check that `path` is a readable regular file; opening a pipe would block.

    Raises:
        DamagedError: It is not.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind == stat.S_IFREG:
            path.open("rb").close()
            return
    except OSError as error:
        raise unreadable(path, error) from error
    raise DamagedError(path, f"is a {KINDS.get(kind, 'device')}, not a file")


def unreadable(path: Path, error: OSError) -> DamagedError:
    """Return the error for a file that the file system cannot read."""
    missing = isinstance(error, FileNotFoundError)
    return DamagedError(path, "is missing" if missing else f"cannot be read: {error.strerror or error}")


def versioned_name(path: Path) -> str:
    """Return the version and the file name of an artifact, as recorded in checksums and headers."""
    return f"{path.parent.name}/{path.name}" if _is_version(path) else path.name


def checksum_file(path: Path) -> Path:
    """Return the path of the checksum of an artifact, a text file for `sha256sum --check`."""
    return path.with_name(path.name + CHECKSUM)


def checksum(content: Path, path: Path) -> str:
    """Return the content of the checksum file of the artifact `path`, whose bytes are in the file `content`."""
    return f"{_sha256(content)}  {versioned_name(path)}\n"


def verify_checksum(path: Path) -> None:
    """Check that an artifact is what was written under this name and version.

    Raises:
        DamagedError: It is not.
    """
    check_file(path)
    sums = checksum_file(path)
    try:
        check_file(sums)
        expected, _, written_for = sums.read_bytes().decode("utf-8", "replace").rstrip("\n").partition("  ")
    except DamagedError as error:
        raise DamagedError(path, f"cannot be checked: {error.path} {error.fault}") from error
    try:
        found = matches(path, expected, _sha256)
    except OSError as error:
        raise unreadable(path, error) from error
    if not found:
        raise DamagedError(path, f"{CHANGED} ({path.stat().st_size} bytes found, checksum in {sums.name})")
    if written_for != versioned_name(path):
        raise DamagedError(path, f"is {written_for!r} according to its checksum, {versioned_name(path)!r} expected")


def hash_blocks(file: BinaryIO, size: int, digest: Any) -> None:
    """Add the next `size` bytes of a file to a hash, or as many as there are.

    Raises:
        OSError: The disk cannot be read.
    """
    left = size
    # Not memory-mapped: a read error in a map would kill the process.
    while left and (block := file.read(min(BLOCK, left))):
        digest.update(block)
        left -= len(block)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _is_version(path: Path) -> bool:
    """Whether the path is in `<entry>.<suffix>/<version>/`; the sidecar of an array has the name of its entry too."""
    return path.parent.parent.stem == path.stem


def _other_version(path: Path) -> str | None:
    """The newest version other than that of `path`; None if there is no other."""
    try:
        others = [at.parent.name for at in path.parent.parent.glob(f"*/{glob.escape(path.name)}") if at != path]
    except OSError:
        return None
    return max(others, default=None)
