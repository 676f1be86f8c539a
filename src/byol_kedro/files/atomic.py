"""Files that are whole or not there: written beside their place, flushed to the disk, then moved."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.leftovers import temporary_files

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path, needed: int | None = None) -> Iterator[Path]:
    """A temporary path beside `path`: becomes `path` when the block ends well, else nothing is left.

    `needed`: the bytes that the block writes, for the message when the disk is full.

    Raises UserError when the file system refuses: the disk is full or read-only, the file too large for it, …
    """
    with replacing_all([path], needed) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(paths: Sequence[Path], needed: int | None = None) -> Iterator[list[Path]]:
    """As `replacing`, for files of one folder that belong together: all are flushed, then moved in this order."""
    created = _missing_folders(paths)
    try:
        _refuse_other_kinds(paths)
        for folder in reversed(created):
            folder.mkdir(exist_ok=True)
        with temporary_files(paths) as temporaries:
            yield temporaries
            for temporary in temporaries:
                flush(temporary)
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)
        for folder in {path.parent for path in [*paths, *created]}:
            flush(folder)
    except BaseException as error:
        # Asked before the temporary files go, which may be what uses up the inodes.
        full = _full_message(paths[-1], needed) if _is_full(error) else None
        _remove(paths, created)
        if full is not None:
            raise UserError(full) from error
        if isinstance(error, OSError):
            raise UserError(
                f"{paths[-1]} cannot be written: {error.strerror or error}{_elsewhere(error, paths)}"
            ) from error
        raise


def _refuse_other_kinds(paths: Sequence[Path]) -> None:
    """A file that is moved to the place of a device removes it."""
    for path in paths:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} cannot be written: it is a folder, a pipe or a device, and no file")


def flush(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _elsewhere(error: OSError, paths: Sequence[Path]) -> str:
    """The path that was refused, where it is none of the folder that is written to."""
    refused = Path(error.filename) if error.filename else paths[-1]
    return "" if refused.parent in {path.parent for path in paths} else f" ({refused})"


def _missing_folders(paths: Sequence[Path]) -> list[Path]:
    """The folders above the paths that are not there, the deepest first."""
    missing = {above for path in paths for above in path.parents if not above.exists()}
    return sorted(missing, key=lambda folder: len(folder.parts), reverse=True)


def _remove(paths: Sequence[Path], created: Sequence[Path]) -> None:
    # In a folder that this save made, a file that has been moved already is half of a pair.
    for path in (path for path in paths if path.parent in created):
        with suppress(OSError):  # it is not there, or what stopped the save stops this, too
            path.unlink()
    for folder in created:
        with suppress(OSError):  # another save may have put its file there meanwhile
            folder.rmdir()


def _is_full(error: BaseException) -> bool:
    # safetensors reports what the system says as text: "… (os error 28)".
    return getattr(error, "errno", None) in FULL or any(f"(os error {code})" in str(error) for code in FULL)


def _full_message(path: Path, needed: int | None) -> str:
    folder = next(above for above in path.parents if above.exists())
    wanted = f"{size_text(needed)} needed, " if needed is not None else ""
    return (
        f"the disk or the quota is full: could not write {path.name} under {path.parent} "
        f"({wanted}{room(folder)}); make room or choose another place with --params data_root=..."
    )


def room(folder: Path) -> str:
    """What is free where `folder` lies, in words: bytes, or the number of files where that is what is used up."""
    disk = os.statvfs(folder)
    if disk.f_files and not disk.f_favail:  # file systems without such a limit say 0 of 0
        return "no inode free: there are too many files, however small"
    return f"{size_text(disk.f_bavail * disk.f_frsize)} free"


def size_text(size: int) -> str:
    """`2764800000` → `2.8 GB`."""
    value = float(size)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
