"""Atomic writes: to a temporary file in the same folder, flushed to the disk, then moved to its name."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.leftovers import temporary_files

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path, needed: int | None = None) -> Iterator[Path]:
    """Write a file atomically.

    Args:
        path: The file.
        needed: Bytes that the block will write, for the message if the disk is full.

    Yields:
        A temporary path. It replaces `path` at the end of the block; if the block raises, it is removed.

    Raises:
        UserError: The file system refuses, for example because the disk is full or read-only.
    """
    with replacing_all([path], needed) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(paths: Sequence[Path], needed: int | None = None) -> Iterator[list[Path]]:
    """Write several files of one folder like `replacing`: all are flushed, then moved in this order."""
    created = _missing_folders(paths)
    try:
        _check_regular(paths)
        for folder in reversed(created):
            folder.mkdir(exist_ok=True)
        with temporary_files(paths) as temporaries:
            yield temporaries
            for temporary in temporaries:
                fsync(temporary)
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)
        for folder in {path.parent for path in [*paths, *created]}:
            fsync(folder)
    except BaseException as error:
        # Asked before the temporary files go, which may be what uses up the inodes.
        full = _full_message(paths[-1], needed) if _is_full(error) else None
        _remove(paths, created)
        if full is not None:
            raise UserError(full) from error
        if isinstance(error, OSError):
            raise UserError(
                f"{paths[-1]} cannot be written: {error.strerror or error}{_other_path(error, paths)}"
            ) from error
        raise


def _check_regular(paths: Sequence[Path]) -> None:
    """Raise UserError for devices, pipes and folders: moving a file to a device would remove it."""
    for path in paths:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} cannot be written: it is not a regular file")


def fsync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _other_path(error: OSError, paths: Sequence[Path]) -> str:
    """The path that was refused, if it is in another folder."""
    refused = Path(error.filename) if error.filename else paths[-1]
    return "" if refused.parent in {path.parent for path in paths} else f" ({refused})"


def _missing_folders(paths: Sequence[Path]) -> list[Path]:
    """The missing parent folders, the deepest first."""
    missing = {above for path in paths for above in path.parents if not above.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _remove(paths: Sequence[Path], created: Sequence[Path]) -> None:
    # In a folder created by this save, a file that was already moved is part of an incomplete set.
    for path in (path for path in paths if path.parent in created):
        with suppress(OSError):  # missing, or the failure of the save prevents this too
            path.unlink()
    for folder in created:
        with suppress(OSError):  # another save may have written a file meanwhile
            folder.rmdir()


def _is_full(error: BaseException) -> bool:
    # safetensors reports the error of the system as text: "… (os error 28)".
    return getattr(error, "errno", None) in DISK_FULL or any(f"(os error {code})" in str(error) for code in DISK_FULL)


def _full_message(path: Path, needed: int | None) -> str:
    folder = next(above for above in path.parents if above.exists())
    wanted = f"{size_text(needed)} needed, " if needed is not None else ""
    return (
        f"the disk or the quota is full: could not write {path.name} under {path.parent} "
        f"({wanted}{free_space(folder)}); free some space or choose another folder with --params data_root=..."
    )


def free_space(folder: Path) -> str:
    """Describe the free space on the disk of `folder`, or say that no more files can be created."""
    disk = os.statvfs(folder)
    if disk.f_files and not disk.f_favail:  # 0 of 0 means no limit
        return "no inodes free: there are too many files"
    return f"{size_text(disk.f_bavail * disk.f_frsize)} free"


def size_text(size: int) -> str:
    """Format a number of bytes: `2764800000` → `2.8 GB`."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
