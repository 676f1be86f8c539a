"""A mixin for datasets of artifacts: atomic saves, and verification on load."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from byol_kedro.files.atomic import replacing_all
from byol_kedro.files.integrity import checksum, checksum_file, verify_checksum
from byol_kedro.files.versioned import VersionedMixin


class ArtifactMixin(VersionedMixin):
    """Saves a file atomically with a checksum file, and verifies it on load.

    Must precede the Kedro dataset in the bases. Subclasses implement the format in `write` and `read`.
    """

    _get_load_path: Callable[[], PurePosixPath]  # of the Kedro dataset

    def save(self, data: Any) -> None:
        """Save the data. If that fails, nothing is left.

        Raises:
            UserError: The disk is full.
        """
        path = self.new_file()
        # Kedro checks for the artifact, so it is moved last.
        with replacing_all([checksum_file(path), path]) as (sums, temporary):
            self.write(data, temporary)
            sums.write_text(checksum(temporary, path), "utf-8")

    def load(self) -> Any:
        """Load the data.

        Raises:
            UserError: The file differs from what was saved.
        """
        return self.read(self.checked_path())

    def checked_path(self) -> Path:
        """Return the path of the version to load.

        Raises:
            UserError: The file differs from what was saved.
        """
        path = Path(self._get_load_path())
        verify_checksum(path)
        return path

    @abstractmethod
    def write(self, data: Any, path: Path) -> None:
        """Write the data to a new file."""

    @abstractmethod
    def read(self, path: Path) -> Any:
        """Read the data from a verified file."""
