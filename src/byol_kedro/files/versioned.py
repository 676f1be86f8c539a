"""The versions of a catalog entry.

A version is a folder whose name is the start time of its run in Kedro's format. Other folders, for example copies made
by a file manager, are never used as the newest version.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from byol_kedro.files.leftovers import remove_leftovers
from byol_kedro.log import get_logger

EXAMPLE = "2026-03-01T10.00.00.000Z"
NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z", re.ASCII)

logger = get_logger(__name__)


class VersionedMixin:
    """Finds versions by their exact names. Must precede Kedro's `AbstractVersionedDataset` in the bases."""

    _filepath: PurePosixPath
    _version: Any
    if TYPE_CHECKING:

        def _get_save_path(self) -> PurePosixPath: ...

    def new_file(self) -> Path:
        """Return the path to save to, after removing temporary files of killed processes."""
        if self._version:
            remove_leftovers_of_versions(Path(self._filepath))
        return Path(self._get_save_path())

    def _get_versions(self) -> list[str]:
        """The files of all versions, newest first. Kedro would treat the path as a pattern and accept any name."""
        return [str(file) for file in version_files(Path(self._filepath))]


@cache
def is_version(name: str) -> bool:
    """Return whether a name has the format of Kedro's versions."""
    if NAME.fullmatch(name) is None:
        return False
    with suppress(ValueError):  # an invalid date
        datetime.strptime(name, "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
        return True
    return False


def version_files(folder: Path, file_name: str | None = None) -> list[Path]:
    """Return the file of each version, newest first; empty if the folder does not exist.

    Args:
        folder: Folder of the catalog entry.
        file_name: Name of the file in each version; that of the folder by default.

    Raises:
        PermissionError: The folder, or that of a version, cannot be read.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted((entry.name for entry in entries if is_version(entry.name)), reverse=True)
    files = (Path(f"{folder}/{name}/{file_name or folder.name}") for name in names)
    return [file for file in files if file.exists()]


def log_ignored_versions(folders: Iterable[Path], file_name: str | None = None) -> None:
    """Log a warning if there are files like those of versions in folders whose names are not versions.

    Args:
        folders: Folders of catalog entries.
        file_name: As in `version_files`.
    """
    others: list[Path] = []
    for folder in filter(Path.is_dir, folders):
        for path in folder.iterdir():
            with suppress(OSError):
                if not is_version(path.name) and (path / (file_name or folder.name)).is_file():
                    others.append(path)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        logger.warning("ignored, not a version: %r%s; versions have names like %s", str(others[0]), more, EXAMPLE)


def remove_leftovers_of_versions(folder: Path) -> None:
    """Remove temporary files of killed processes, which can be large, from the versions of a catalog entry."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        # The target of a link does not belong to this entry.
        versions = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for version in versions:
        if remove_leftovers(version):
            with suppress(OSError):  # not empty
                version.rmdir()
