"""The folder of new images for the pipeline predict."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from byol_kedro.errors import UserError
from byol_kedro.files.decode import SUFFIXES
from byol_kedro.log import Brief
from byol_kedro.sources.outputs import refuse_outputs
from byol_kedro.sources.walk import ignored_text, walk


@dataclass(frozen=True, repr=False)
class NewImages(Brief):
    """Image files in a folder.

    Attributes:
        root: The folder.
        names: Paths of the files relative to `root`, sorted.
        ignored: How many other files were ignored, by reason.
    """

    root: Path
    names: list[str]
    ignored: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def paths(self) -> Iterator[Path]:
        """Yield the path of each image."""
        return (self.root / name for name in self.names)


class NewImagesDataset(AbstractDataset[Any, NewImages]):
    """Loads `NewImages`; `filepath` is the folder, or None if `predict_root` is not set. Read-only, not versioned."""

    def __init__(self, *, filepath: str | None, metadata: dict[str, Any] | None = None) -> None:
        """Take the arguments of the catalog entry."""
        self._root = None if filepath is None else Path(filepath)
        self.metadata = metadata

    def load(self) -> NewImages:
        """List the images.

        Raises:
            UserError: No folder is given, it does not exist, or it contains no images.
        """
        if self._root is None:
            raise UserError("predict_root, the folder of new images, is not set; add --params predict_root=FOLDER")
        if not self._root.is_dir():
            found = "is a file" if self._root.exists() else "does not exist"
            raise UserError(f"predict_root: {self._root} {found}; choose a folder of images")
        refuse_outputs(self._root, "predict_root")
        ignored: Counter[str] = Counter()
        names = [file.name for file in walk(self._root, ignored)]
        if not names:
            others = ignored_text(ignored)
            raise UserError(
                f"predict_root: no images found in {self._root}{f' ({others})' if others else ''}; "
                f"supported file types: {', '.join(sorted(SUFFIXES))}"
            )
        return NewImages(self._root, names, dict(ignored))

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: the images are read-only."""
        raise UserError(f"the images in {self._root} are read-only")

    def _exists(self) -> bool:
        return True  # load reports what is missing

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._root}
