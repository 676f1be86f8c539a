"""STL-10 in its binary layout (Coates, Lee, Ng 2011): 96 x 96 RGB, ten classes, 100,000 unlabeled images.

`stl10_binary/` holds {unlabeled,train,test}_X.bin, {train,test}_y.bin, class_names.txt and fold_indices.txt. If one is
missing, the archive that contains them is downloaded. The images are consecutive uint8 values: three color planes
per image, each stored COLUMN by column. Labels are 1 to 10. Images of another size are read if `image_size` is set
accordingly.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.archives import Archive, Member
from byol_kedro.files.user_files import stamps
from byol_kedro.parameters import Ingest
from byol_kedro.sources.source import UNKNOWN_LABEL, Index, Pixels, Positions, Source
from byol_kedro.sources.text import check_distinct, read_class_names, read_lines

CLASSES = 10
BATCH_BYTES = 2_000_000  # transposing is fastest if a batch fits into the cache of a core

# torchvision.datasets.STL10 has the same URL and MD5 sums.
STL10 = Archive(
    url="http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    size=2640397119,
    md5="91f7769df0f17e558f3565bffb0c7dfb",
    folder="stl10_binary",
    members={
        "unlabeled_X.bin": Member(2764800000, "5242ba1fed5e4be9e1e742405eb56ca4"),
        "train_X.bin": Member(138240000, "918c2871b30a85fa023e0c44e0bee87f"),
        "train_y.bin": Member(5000, "5a34089d4802c674881badbb80307741"),
        "test_X.bin": Member(221184000, "7f263ba9f9e0b06b93213547f721ac82"),
        "test_y.bin": Member(8000, "36f9794fa4beb8a2c72628de14fa638e"),
        "class_names.txt": Member(55, "6de44d022411c4d5cda4673b7f147c3f"),
        "fold_indices.txt": Member(47794, "4bbf8cd098ab9f87fe03fbcb37c06b28"),
    },
)


class Stl10Source(Source):
    """Reads STL-10. The constructor checks all files; images are read in batches of about 2 MB."""

    name = "stl10"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Check the files."""
        super().__init__(root, parameters, seed)
        self._folder = root / STL10.folder
        self._stamps = {name: stamps([self._folder / name]) for name in STL10.members}
        self.class_names = _read_class_names(self._folder / "class_names.txt")
        self._labels = {
            "train": _read_labels(self._folder / "train_y.bin"),
            "test": _read_labels(self._folder / "test_y.bin"),
        }
        for split, labels in self._labels.items():
            self._check_images(split, len(labels))
        unlabeled = (self._folder / "unlabeled_X.bin").stat().st_size // (3 * self.side**2)
        self._check_images("unlabeled", unlabeled)
        self._labels["unlabeled"] = np.full(unlabeled, UNKNOWN_LABEL, dtype=np.int64)
        self._folds = _read_folds(self._folder / "fold_indices.txt", len(self._labels["train"]))

    @staticmethod
    def archive(root: Path) -> Archive:  # noqa: ARG004  # the same for every folder
        """Return the published archive."""
        return STL10

    def origin(self, split: str) -> dict[str, Any]:
        """Return the image size and the stamps of the files that the split is read from."""
        names = [f"{split}_X.bin", "class_names.txt"]
        if split != "unlabeled":
            names.append(f"{split}_y.bin")
        if split == "train":
            names.append("fold_indices.txt")
        return {"image_size": self.side, "files": [self._stamps[name] for name in names]}

    def index(self, split: str) -> Index:
        """Return the labels, and names such as `test/00017`."""
        labels = self._labels[split]
        return Index(labels, [f"{split}/{number:05d}" for number in range(len(labels))])

    def batches(self, split: str) -> Iterator[Pixels]:
        """Yield the images in the order of the file, rows and columns exchanged."""
        return _read_upright(self._folder / f"{split}_X.bin", self.side, len(self._labels[split]))

    def folds(self, split: str) -> list[Positions]:
        """Return the ten published folds of the training images."""
        return self._folds if split == "train" else []

    def _check_images(self, split: str, count: int) -> None:
        path = self._folder / f"{split}_X.bin"
        found, expected = path.stat().st_size, count * 3 * self.side**2
        if found == expected and (count or split == "unlabeled"):
            return
        side = math.isqrt(found // (3 * count)) if count else 0
        fits = side != self.side and side and 3 * count * side**2 == found
        advice = f"set ingest.image_size: {side}" if fits else "extract the archive again"
        raise UserError(
            f"{path}: {found} bytes found, {expected} expected for {count} images of {self.side} x {self.side}; "
            f"{advice}"
        )


def _read_upright(path: Path, side: int, count: int) -> Iterator[Pixels]:
    """Yield batches (n, 3, side, side) uint8, row by row."""
    batch_size = max(1, BATCH_BYTES // (3 * side**2))
    with path.open("rb") as file:
        for start in range(0, count, batch_size):
            n = min(batch_size, count - start)
            flat = np.fromfile(file, dtype=np.uint8, count=n * 3 * side**2)
            # If the file has been truncated meanwhile, the stream ends; the writer counts the images.
            complete = flat[: len(flat) // (3 * side**2) * 3 * side**2]
            yield complete.reshape(-1, 3, side, side).transpose(0, 1, 3, 2)


def _read_labels(path: Path) -> npt.NDArray[np.int64]:
    """(N,) int64, 0 to 9."""
    labels = np.fromfile(path, dtype=np.uint8).astype(np.int64)
    bad = np.flatnonzero((labels < 1) | (labels > CLASSES))
    if len(bad):
        raise UserError(f"{path}: label {labels[bad[0]]} at position {bad[0]}, 1 to {CLASSES} expected")
    return labels - 1


def _read_class_names(path: Path) -> list[str]:
    names = read_class_names(path)
    if len(names) != CLASSES:
        raise UserError(f"{path}: {len(names)} class names found, {CLASSES} expected, one per line")
    check_distinct(path, names)
    return names


def _read_folds(path: Path, count: int) -> list[Positions]:
    """Positions in the training split, int64, one array per line."""
    folds = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            fold = np.array(line.split(), dtype=np.int64)
        except (ValueError, OverflowError):
            raise UserError(f"{path}, line {number}: integers expected") from None
        bad = fold[(fold < 0) | (fold >= count)]
        if len(bad):
            raise UserError(f"{path}, line {number}: position {bad[0]} found, 0 to {count - 1} expected")
        folds.append(fold)
    return folds
