"""The contract of a source of images, and one split of its images as a stream."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from byol_kedro.files.archives import Archive
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.log import Brief
from byol_kedro.parameters import Ingest

SPLITS = ("unlabeled", "train", "test")
UNKNOWN_LABEL = -1

Pixels = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Index(Brief):
    """What is known about the images of a split before their pixels are read.

    Attributes:
        labels: (N,) int64, -1 where unknown.
        names: N names, unique over all splits.
        keys: (N, 16) uint8, a hash that changes whenever the pixels may have changed; None if the source has none.
        undecided: Images that could not be read when the test images were held out: the reason by name.
    """

    labels: npt.NDArray[np.int64]
    names: list[str]
    keys: Pixels | None = None
    undecided: dict[str, str] = field(default_factory=dict)


class Source(ABC):
    """Images in the three splits of `SPLITS`.

    A subclass sets `name` and implements `origin`, `index` and `batches`. Its constructor checks the files as far as
    that is possible without reading images, and raises `UserError` if they are missing or invalid.

    Attributes:
        name: Key in `SOURCES`, shown in the `data` column of the results.
        reads_addresses: Whether `root` may be a `RemotePath`, which has those methods of `Path` that such sources use.
        class_names: Names of the classes by label; empty if no image has a label.
    """

    name: ClassVar[str]
    reads_addresses: ClassVar[bool] = False

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Open the source.

        Args:
            root: Folder of the files (`raw_root`).
            parameters: The block `ingest`.
            seed: Seed of random draws.
        """
        self.root, self.parameters, self.seed = root, parameters, seed
        self.class_names: list[str] = []

    @staticmethod
    def archive(root: Path) -> Archive | None:  # noqa: ARG004  # most sources have none
        """Return the archive that is downloaded if its members are missing from `root`; None if there is none."""
        return None

    @property
    def side(self) -> int:
        """Height and width of every image in pixels."""
        return self.parameters.image_size

    @abstractmethod
    def origin(self, split: str) -> dict[str, Any]:
        """Return everything that the images depend on, as JSON values: file stamps, parameters.

        If it equals the origin of the last version, `index` and `batches` are not called.
        """

    @abstractmethod
    def index(self, split: str) -> Index:
        """Return labels and names of all images of a split."""

    @abstractmethod
    def batches(self, split: str) -> Iterator[Pixels | UnreadableImage]:
        """Yield the images of a split in the order of its index.

        Yields:
            Arrays (n, 3, side, side) uint8, as `NarrowPixels` if they use a small part of their range of values, or
            an `UnreadableImage` in place of one image.
        """

    def batches_at(self, split: str, positions: Positions) -> Iterator[Pixels | UnreadableImage]:
        """Yield the images at `positions`, (M,) int64 and ascending; needed if the index has keys."""
        raise NotImplementedError

    def folds(self, split: str) -> list[Positions]:  # noqa: ARG002  # STL-10 alone has folds
        """Return the published folds: positions (n,) int64 in the split, an array for each fold."""
        return []

    def ignored(self, split: str) -> dict[str, int]:  # noqa: ARG002  # files are ignored in folders alone
        """Return how many files were ignored, by reason."""
        return {}

    def is_held_out(self, split: str) -> bool:  # noqa: ARG002  # most sources have a test split
        """Return whether the split was held out of train because the source has no test images."""
        return False

    def is_unchanged(self, split: str, broken: Mapping[str, str], undecided: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Return whether the last version, which has the same origin, can be kept.

        The metadata of a file does not tell whether it has become readable.

        Args:
            split: The split.
            broken: Images missing from the last version: the reason by name.
            undecided: As in the index of the last version.
        """
        return not broken

    def stream(self, split: str) -> "ImageStream":
        """Return one of `SPLITS`; its origin is determined now, before any image is read."""
        return ImageStream(self, split, {"source": self.name, "split": split, **self.origin(split)})


@dataclass(frozen=True, eq=False, repr=False)
class ImageStream(Brief):
    """One split of a source. The index is read once and the pixels in batches, so that memory stays small.

    Attributes:
        source: Where the images come from.
        split: One of `SPLITS`.
        origin: Everything that the images depend on, as JSON values.
    """

    source: Source
    split: str
    origin: dict[str, Any]

    @cached_property
    def index(self) -> Index:
        """Labels, names and keys of the images."""
        return self.source.index(self.split)

    @property
    def count(self) -> int:
        """Number of images N."""
        return len(self.index.labels)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, side, side)."""
        return self.count, 3, self.source.side, self.source.side

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return self.count * 3 * self.source.side**2

    def batches(self, positions: Positions | None = None) -> Iterator[Pixels | UnreadableImage]:
        """Yield the images as `Source.batches` does: all of them, or those at `positions`."""
        return self.source.batches(self.split) if positions is None else self.source.batches_at(self.split, positions)
