"""CIFAR-10 (Krizhevsky 2009): 32 x 32 RGB, ten classes, 50,000 training and 10,000 test images.

The Python version, `cifar-10-batches-py/` with data_batch_1 to data_batch_5 and test_batch, is read if it is the only
one in the folder. Otherwise it is the binary version, `cifar-10-batches-bin/` with the same names and .bin, which is
downloaded if a file is missing. A batch has a label of 0 to 9 and 3072 bytes for each image: three color planes, each
row by row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.archives import Archive, Member
from byol_kedro.files.user_files import is_regular, stamps
from byol_kedro.parameters import Ingest
from byol_kedro.sources.pickled import read_pickled
from byol_kedro.sources.source import Index, Pixels, Source

SIDE = 32
IMAGE_BYTES = 3 * SIDE**2
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = {"unlabeled": (), "train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
PYTHON_FOLDER = "cifar-10-batches-py"

CIFAR10 = Archive(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    size=170052171,
    md5="c32a1d4ab5d03f1284b67883e8d87530",  # from the download page
    folder="cifar-10-batches-bin",
    members={f"{name}.bin": Member(10_000 * (IMAGE_BYTES + 1)) for names in BATCHES.values() for name in names},
)


@dataclass(frozen=True, eq=False)
class Batch:
    """The content of one file: labels (N,) int64 and pixels (N, 3, 32, 32) uint8."""

    labels: npt.NDArray[np.int64]
    pixels: Pixels


class Cifar10Source(Source):
    """Reads CIFAR-10. The constructor checks that all files exist; one batch of 31 MB is read at a time."""

    name = "cifar10"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Check the files."""
        super().__init__(root, parameters, seed)
        if self.side != SIDE:
            raise UserError(
                f"CIFAR-10 images are {SIDE} x {SIDE}, but ingest.image_size is {self.side}; "
                f"set ingest.image_size: {SIDE}"
            )
        self.class_names = list(CLASSES)
        self._files = _find_files(root)

    @staticmethod
    def archive(root: Path) -> Archive | None:
        """Return the archive of the binary version, unless `root` has the Python version only."""
        only_python = (root / PYTHON_FOLDER).is_dir() and not (root / CIFAR10.folder).is_dir()
        return None if only_python else CIFAR10

    def origin(self, split: str) -> dict[str, Any]:
        """Return the stamps of the files that the split is read from."""
        return {"files": stamps(self._files[split])}

    def index(self, split: str) -> Index:
        """Return the labels, and names such as `test/00017`."""
        labels = np.concatenate([np.empty(0, dtype=np.int64), *(_read(path).labels for path in self._files[split])])
        return Index(labels, [f"{split}/{number:05d}" for number in range(len(labels))])

    def batches(self, split: str) -> Iterator[Pixels]:
        """Yield the images of each file."""
        return (_read(path).pixels for path in self._files[split])


def _find_files(root: Path) -> dict[str, list[Path]]:
    """Return the files of each split. Raises UserError if one is missing."""
    folder, suffix = (root / CIFAR10.folder, ".bin") if Cifar10Source.archive(root) else (root / PYTHON_FOLDER, "")
    files = {split: [folder / f"{name}{suffix}" for name in names] for split, names in BATCHES.items()}
    for path in (path for paths in files.values() for path in paths):
        if not is_regular(path):
            raise UserError(f"{path} is missing; extract the archive again")
    return files


def _read(path: Path) -> Batch:
    """Read one file. Raises UserError if it is truncated or a label is out of range."""
    batch = _read_binary(path) if path.suffix == ".bin" else _read_python(path)
    bad = np.flatnonzero((batch.labels < 0) | (batch.labels >= len(CLASSES)))
    if len(bad):
        raise UserError(f"{path}: label {batch.labels[bad[0]]} at position {bad[0]}, 0 to {len(CLASSES) - 1} expected")
    return batch


def _read_binary(path: Path) -> Batch:
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % (IMAGE_BYTES + 1):
        raise UserError(
            f"{path}: {len(content)} bytes found, a multiple of {IMAGE_BYTES + 1} expected; extract the archive again"
        )
    rows = content.reshape(-1, IMAGE_BYTES + 1)
    return Batch(rows[:, 0].astype(np.int64), rows[:, 1:].reshape(-1, 3, SIDE, SIDE))


def _read_python(path: Path) -> Batch:
    content = read_pickled(path)
    items = content.items() if isinstance(content, dict) else ()
    fields = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in items}
    labels, data = fields.get("labels"), fields.get("data")
    numbers = np.asarray(labels if _are_integers(labels) else [], np.int64)
    expected = np.uint8, (len(numbers), IMAGE_BYTES)
    if not len(numbers) or not isinstance(data, np.ndarray) or (data.dtype, data.shape) != expected:
        found = f"{data.dtype} of shape {data.shape}" if isinstance(data, np.ndarray) else "no array"
        raise UserError(
            f"{path}: a list `labels` and an array `data` of uint8 ({IMAGE_BYTES} for each label) expected, "
            f"{len(numbers)} labels and {found} found"
        )
    return Batch(numbers, np.ascontiguousarray(data).reshape(-1, 3, SIDE, SIDE))


def _are_integers(labels: Any) -> bool:
    """Whether the labels are a list of integers or an integer array (N,)."""
    if isinstance(labels, np.ndarray):
        return labels.ndim == 1 and labels.dtype.kind in "iu"
    return isinstance(labels, list) and all(type(label) is int and abs(label) < 2**31 for label in labels)
