"""Which folders of an entry are its versions.

A version is a folder named by the time at which its run began, as Kedro names it. Nothing else in the folder of an
entry counts: neither a copy that a file manager has made nor a name of the user's own is ever the newest version.
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


class Versions:
    """Comes before Kedro's `AbstractVersionedDataset` among the bases."""

    _filepath: PurePosixPath
    _version: Any
    if TYPE_CHECKING:

        def _get_save_path(self) -> PurePosixPath: ...

    def new_file(self) -> Path:
        """Where the data of this save goes. What killed processes have left of earlier saves is removed."""
        if self._version:
            remove_leftovers_of_versions(Path(self._filepath))
        return Path(self._get_save_path())

    def _get_versions(self) -> list[str]:
        """The files of all versions, newest first. Kedro would read the path as a pattern, and take any name."""
        return [str(file) for file in version_files(Path(self._filepath))]


@cache
def is_version(name: str) -> bool:
    """Whether `name` is what Kedro names a version."""
    if NAME.fullmatch(name) is None:
        return False
    with suppress(ValueError):  # of a day that there is not
        datetime.strptime(name, "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
        return True
    return False


def version_files(folder: Path, file_name: str | None = None) -> list[Path]:
    """The file of each version in `folder`, newest first; none where there is no such folder.

    It is named as the folder, unless `file_name` is given.

    Raises:
        PermissionError: the folder, or that of a version, may not be read.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted((entry.name for entry in entries if is_version(entry.name)), reverse=True)
    # Each save lists them: one path for each, not two on the way to it.
    files = (Path(f"{folder}/{name}/{file_name or folder.name}") for name in names)
    return [file for file in files if file.exists()]


def tell_passed_over(folders: Iterable[Path], file_name: str | None = None) -> None:
    """Warn in one line of what lies in the entries `folders` as a version does, but has no version's name."""
    others: list[Path] = []
    for folder in filter(Path.is_dir, folders):
        for path in folder.iterdir():
            with suppress(OSError):
                if not is_version(path.name) and (path / (file_name or folder.name)).is_file():
                    others.append(path)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        logger.warning("no version and passed over: %r%s; a version is named like %s", str(others[0]), more, EXAMPLE)


def remove_leftovers_of_versions(folder: Path) -> None:
    """Remove what killed processes have left of the versions of the entry `folder`: gigabytes, perhaps."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        # What a link leads to is not this entry's.
        versions = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for version in versions:
        if remove_leftovers(version):
            with suppress(OSError):  # it holds something else
                version.rmdir()
