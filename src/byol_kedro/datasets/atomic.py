"""What makes a dataset of kedro-datasets write its file whole or not at all."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from byol_kedro.datasets.files import replacing
from byol_kedro.datasets.versioned import Versions


class AtomicSave(Versions):
    """Comes before a dataset of kedro-datasets among the bases; `write` writes the data to a local path."""

    def save(self, data: Any) -> None:
        """Raises UserError when the disk is full; whatever goes wrong, nothing is left."""
        with replacing(self.new_file()) as temporary:
            self.write(data, temporary)
        self._invalidate_cache()  # type: ignore[attr-defined]  # the other base's

    @abstractmethod
    def write(self, data: Any, path: Path) -> None:
        """Writes `data` to a new file."""
