"""A folder of images that are asked about."""

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
    """`names`: of all image files below `root`, their paths from there on, in a fixed order.

    `ignored`: how many other files were passed over, by the reason.
    """

    root: Path
    names: list[str]
    ignored: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def paths(self) -> Iterator[Path]:
        return (self.root / name for name in self.names)


class NewImagesDataset(AbstractDataset[Any, NewImages]):
    """Loads `NewImages`; `filepath` is the folder, or None where none was given. Read only, not versioned."""

    def __init__(self, *, filepath: str | None, metadata: dict[str, Any] | None = None) -> None:
        self._root = None if filepath is None else Path(filepath)
        self.metadata = metadata

    def load(self) -> NewImages:
        """Raises UserError when no folder was given, it is not there, or there is no image in it."""
        if self._root is None:
            raise UserError(
                "predict_root is not given: the folder of new images; add it to --params: predict_root=FOLDER"
            )
        if not self._root.is_dir():
            raise UserError(f"predict_root: there is no folder {self._root}; expected one with images in it")
        refuse_outputs(self._root, "predict_root")
        ignored: Counter[str] = Counter()
        names = [file.name for file in walk(self._root, ignored)]
        if not names:
            others = ignored_text(ignored)
            raise UserError(
                f"predict_root: there are no images in {self._root}{f' ({others})' if others else ''}; "
                f"expected files that end in {', '.join(sorted(SUFFIXES))}"
            )
        return NewImages(self._root, names, dict(ignored))

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        raise UserError(f"the images under {self._root} are only read")

    def _exists(self) -> bool:
        return True  # load says better what is missing

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._root}
