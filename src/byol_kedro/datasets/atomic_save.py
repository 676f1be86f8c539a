"""The base of datasets of artifacts: written whole or not at all, checked when they are loaded."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from byol_kedro.files.atomic import replacing_all
from byol_kedro.files.integrity import checksum, checksum_file, verify_checksum
from byol_kedro.files.versioned import VersionedMixin


class ArtifactMixin(VersionedMixin):
    """Comes before a dataset of Kedro's among the bases; `write` and `read` know the format.

    A checksum lies beside the file. What is loaded agrees with it, or one line says what is wrong with the file.
    """

    _get_load_path: Callable[[], PurePosixPath]  # the other base's

    def save(self, data: Any) -> None:
        """Raises UserError when the disk is full; whatever goes wrong, nothing is left."""
        path = self.new_file()
        # Kedro looks for the artifact, so it comes last.
        with replacing_all([checksum_file(path), path]) as (sums, temporary):
            self.write(data, temporary)
            sums.write_text(checksum(temporary, path), "utf-8")

    def load(self) -> Any:
        """Raises UserError when the file is not what was written."""
        return self.read(self.checked_path())

    def checked_path(self) -> Path:
        """The file of the version to load. Raises UserError when it is not what was written."""
        path = Path(self._get_load_path())
        verify_checksum(path)
        return path

    @abstractmethod
    def write(self, data: Any, path: Path) -> None:
        """Writes `data` to a new file."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """The data of a file that is as `write` left it."""
