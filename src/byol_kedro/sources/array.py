"""Images as NumPy arrays.

`unlabeled`, `train` and `test`, or some of them, are (N, H, W, 3) or (N, 3, H, W) uint8. `train_labels` and
`test_labels`, if the classes are known, are N integers from 0. `raw_root` is a folder of train.npy, train_labels.npy
and so on, an .npz with these names or a folder with a single .npz, or one .npy without labels. `class_names.txt` in the
folder, one name per line, is optional. Without test, a part of train is held out. Without train, `unlabeled` is used
as train.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.decode import NarrowPixels, are_narrow
from byol_kedro.files.user_files import is_regular, stamps
from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest
from byol_kedro.sources.array_files import ArrayFile, find_arrays
from byol_kedro.sources.hold_out import digest, held_out
from byol_kedro.sources.source import SPLITS, UNKNOWN_LABEL, Index, Pixels, Source
from byol_kedro.sources.text import check_distinct, read_class_names
from byol_kedro.sources.walk import printable

BATCH_BYTES = 2_000_000
CLASS_NAMES = "class_names.txt"
LABELS = {"train": "train_labels", "test": "test_labels"}

logger = get_logger(__name__)


class ArraySource(Source):
    """Reads arrays. The constructor checks types, shapes and labels; images are read in batches of about 2 MB."""

    name = "array"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Check the files."""
        super().__init__(root, parameters, seed)
        found, others = find_arrays(root, (*SPLITS, *LABELS.values()))
        self._arrays = {split: found[split] for split in SPLITS if split in found}
        for array in self._arrays.values():
            _check_images(array, self.side)
        self._stamps = stamps(sorted({array.path for array in self._arrays.values()}))
        if not {"unlabeled", "train"} & set(self._arrays):
            names = ", ".join(map(printable, sorted([*found, *others]))) or "none"
            raise UserError(f"{root}: an array named unlabeled or train expected, found: {names}; rename the arrays")
        if orphans := [labels for split, labels in LABELS.items() if labels in found and split not in found]:
            raise UserError(f"{found[orphans[0]]}: the array {orphans[0].removesuffix('_labels')} is missing; add it")
        if others:
            ignored, read = ", ".join(map(printable, sorted(others))), ", ".join(sorted(found))
            logger.info("%s: %s ignored, only %s read", root, ignored, read)
        if "train" not in self._arrays:
            self._arrays["train"] = self._arrays.pop("unlabeled")
        self._labels = {
            split: _read_labels(found[LABELS[split]], array) if LABELS.get(split) in found else _unknown(array)
            for split, array in self._arrays.items()
        }
        self.class_names = _class_names(root, found, self._labels["train"])
        if "test" in self._labels:
            _check_test(found, self._labels["test"], self._labels["train"])

    def origin(self, split: str) -> dict[str, Any]:
        """Return parameters, classes, a digest of the labels, and the stamps of all files."""
        name = self._array_of(split)
        return {
            "image_size": self.side,
            "test_fraction": self.parameters.test_fraction if self._holds_out and split != "unlabeled" else None,
            "class_names": self.class_names,
            "labels": digest(self._labels[name].tobytes()) if name in self._labels else None,
            "files": self._stamps,
        }

    def index(self, split: str) -> Index:
        """Return the labels, and names such as `train/00017`. Reads train if test images are held out of it."""
        name = self._array_of(split)
        if name not in self._arrays:
            return Index(np.empty(0, dtype=np.int64), [])
        rows = np.flatnonzero(self._selected(split))
        return Index(self._labels[name][rows], [f"{name}/{row:05d}" for row in rows])

    def batches(self, split: str) -> Iterator[Pixels]:
        """Yield the images in the order of the array."""
        name = self._array_of(split)
        if name not in self._arrays:
            return
        selected, start = self._selected(split), 0
        for chunk in self._chunks(name):
            rows = chunk[selected[start : start + len(chunk)]]
            start += len(chunk)
            narrow = are_narrow(rows)
            edges = [0, *np.flatnonzero(np.diff(narrow)) + 1]
            for first, part in zip(edges, np.split(rows, edges[1:]), strict=True):
                yield part.view(NarrowPixels) if len(part) and narrow[first] else part

    def is_held_out(self, split: str) -> bool:
        """Return whether the split is the held-out part of train."""
        return split == "test" and self._holds_out

    @property
    def _holds_out(self) -> bool:
        return "test" not in self._arrays

    def _array_of(self, split: str) -> str:
        """The array that the split is selected from."""
        return "train" if self.is_held_out(split) else split

    def _selected(self, split: str) -> npt.NDArray[np.bool_]:
        """Which images of this array are in the split."""
        name = self._array_of(split)
        if not self._holds_out or name != "train":
            return np.ones(len(self._labels[name]), dtype=np.bool_)
        return self._is_test if split == "test" else ~self._is_test

    @cached_property
    def _is_test(self) -> npt.NDArray[np.bool_]:
        digests = [digest(image.tobytes()) for chunk in self._chunks("train") for image in chunk]
        return held_out(np.array(digests, dtype=np.uint64), self._labels["train"], self.parameters.test_fraction)

    def _chunks(self, name: str) -> Iterator[Pixels]:
        """(n, 3, H, W) uint8."""
        array = self._arrays[name]
        for chunk in array.chunks(max(1, BATCH_BYTES // (3 * self.side**2))):
            yield chunk if array.shape[1] == 3 else chunk.transpose(0, 3, 1, 2)


def _check_images(array: ArrayFile, side: int) -> None:
    if not array.shape[0]:
        raise UserError(f"{array}: no images found; remove it")
    if array.dtype != np.uint8:
        raise UserError(f"{array}: images of type {array.dtype} found, uint8 expected")
    if array.shape[1:] in ((side, side, 3), (3, side, side)):
        return
    sides = set(array.shape[1:]) - {3}
    advice = ""
    if len(array.shape) == 4 and 3 in (array.shape[1], array.shape[3]) and len(sides) == 1:
        advice = f"; set ingest.image_size: {sides.pop()}"
    raise UserError(
        f"{array}: shape {array.shape} found, (N, {side}, {side}, 3) or (N, 3, {side}, {side}) expected{advice}"
    )


def _unknown(array: ArrayFile) -> npt.NDArray[np.int64]:
    return np.full(array.shape[0], UNKNOWN_LABEL, dtype=np.int64)


def _read_labels(labels: ArrayFile, array: ArrayFile) -> npt.NDArray[np.int64]:
    """(N,) int64, 0 or more. A column (N, 1) is also accepted."""
    if labels.dtype.kind not in "iu" or labels.shape not in ((array.shape[0],), (array.shape[0], 1)):
        raise UserError(f"{labels}: {labels.dtype} of shape {labels.shape} found, {array.shape[0]} integers expected")
    numbers = labels.read().reshape(-1)
    largest = np.iinfo(np.int32).max
    bad = np.flatnonzero((numbers < 0) | (numbers > largest))
    if len(bad):
        raise UserError(f"{labels}: label {numbers[bad[0]]} at position {bad[0]}, 0 to {largest} expected")
    return numbers.astype(np.int64)


def _class_names(root: Path, found: dict[str, ArrayFile], train: npt.NDArray[np.int64]) -> list[str]:
    """The names from the file if there is one, otherwise the numbers; empty without labels."""
    if LABELS["train"] not in found:
        return []
    labels, path = found[LABELS["train"]], (root if root.is_dir() else root.parent) / CLASS_NAMES
    if len(np.unique(train)) < 2:
        raise UserError(f"{labels}: one class found, at least two expected; remove the labels if there are no classes")
    count = int(train.max()) + 1
    from_1 = "; subtract 1 from all labels if they start at 1" if train.min() else ""
    if is_regular(path):
        names = read_class_names(path)
        if len(names) < count:
            raise UserError(f"{path}: {len(names)} names found, {count} expected, one per line{from_1}")
        check_distinct(path, names)
        return names
    if count > len(train):
        raise UserError(
            f"{labels}: label {count - 1} found for {len(train)} images; number the classes from 0, or list all "
            f"of them in {CLASS_NAMES}"
        )
    if from_1:
        raise UserError(f"{labels}: no label is 0{from_1}, or list all classes in {CLASS_NAMES}")
    return [str(number) for number in range(count)]


def _check_test(found: dict[str, ArrayFile], test: npt.NDArray[np.int64], train: npt.NDArray[np.int64]) -> None:
    """Raise UserError unless test has labels if train has, and no class that train lacks."""
    if (LABELS["train"] in found) != (LABELS["test"] in found):
        names = ", ".join(sorted(found))
        raise UserError(f"{found['test']}: labels for both train and test or for neither expected, found: {names}")
    bad = np.flatnonzero(~np.isin(test, train))
    if len(bad):
        labels, label = found[LABELS["test"]], test[bad[0]]
        without = f" without {label}" if label < train.max() else ""
        raise UserError(f"{labels}: label {label} at position {bad[0]}, train has 0 to {train.max()}{without}")
