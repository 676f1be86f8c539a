"""Images as NumPy arrays.

`unlabeled`, `train` and `test`, or some of them, are (N, H, W, 3) or (N, 3, H, W) uint8; `train_labels` and
`test_labels`, where the classes are known, are N whole numbers from 0 on. `raw_root` is the folder of train.npy,
train_labels.npy and so on, an .npz that holds them by these names or the folder that it lies alone in, or one .npy
without labels. `class_names.txt` in the folder, one name a line, is optional. Without test, a part of train is held
out; without train, `unlabeled` is what is learned from and held out of.
"""

from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.decode import NarrowPixels, are_narrow
from byol_kedro.files.user_files import is_regular, stamps
from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest
from byol_kedro.sources.array_files import ArrayFile, find_arrays
from byol_kedro.sources.hold_out import digest, held_out
from byol_kedro.sources.source import SPLITS
from byol_kedro.sources.stream import UNKNOWN_LABEL, ImageStream, Index, Pixels
from byol_kedro.sources.text import check_distinct, read_class_names
from byol_kedro.sources.walk import printable

PIECE = 2_000_000  # bytes in one batch
CLASS_NAMES = "class_names.txt"
LABELS = {"train": "train_labels", "test": "test_labels"}

logger = get_logger(__name__)


class Array:
    """Types, shapes and labels are checked when it is opened; images are read in pieces of some 2 MB."""

    name = "array"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        self._parameters = parameters
        found, others = find_arrays(root, (*SPLITS, *LABELS.values()))
        self._arrays = {split: found[split] for split in SPLITS if split in found}
        for array in self._arrays.values():
            _check_images(array, parameters.image_size)
        self._stamps = stamps(sorted({array.path for array in self._arrays.values()}))
        if not {"unlabeled", "train"} & set(self._arrays):
            there = ", ".join(map(printable, sorted([*found, *others]))) or "no arrays"
            raise UserError(f"{root}: no unlabeled and no train found among {there}; name the arrays so")
        if lonely := [labels for split, labels in LABELS.items() if labels in found and split not in found]:
            raise UserError(f"{found[lonely[0]]}: there is no {lonely[0].removesuffix('_labels')} that it could be of")
        if others:
            here, read = ", ".join(map(printable, sorted(others))), ", ".join(sorted(found))
            logger.info("%s: besides %s it holds %s, which is not read", root, read, here)
        if "train" not in self._arrays:
            self._arrays["train"] = self._arrays.pop("unlabeled")
        self._labels = {
            split: _read_labels(found[LABELS[split]], array) if LABELS.get(split) in found else _unknown(array)
            for split, array in self._arrays.items()
        }
        self._class_names = _class_names(root, found, self._labels["train"])
        if "test" in self._labels:
            _check_test(found, self._labels["test"], self._labels["train"])

    def stream(self, split: str) -> ImageStream:
        source = "train" if self._hold_out and split == "test" else split
        side, fraction = self._parameters.image_size, self._parameters.test_fraction
        return ImageStream(
            side=side,
            class_names=self._class_names,
            source=self.name,
            origin={
                "source": self.name,
                "split": split,
                "image_size": side,
                "test_fraction": fraction if self._hold_out and split != "unlabeled" else None,
                "class_names": self._class_names,
                "labels": digest(self._labels[source].tobytes()) if source in self._labels else None,
                "files": self._stamps,
            },
            index=partial(self._index, split, source),
            batches=partial(self._batches, split, source),
            held_out=split == "test" and self._hold_out,
        )

    @property
    def _hold_out(self) -> bool:
        return "test" not in self._arrays

    def _index(self, split: str, source: str) -> Index:
        if source not in self._arrays:
            return Index(np.empty(0, dtype=np.int64), [])
        rows = np.flatnonzero(self._chosen(split, source))
        return Index(self._labels[source][rows], [f"{source}/{row:05d}" for row in rows])

    def _batches(self, split: str, source: str) -> Iterator[Pixels]:
        if source not in self._arrays:
            return
        chosen, start = self._chosen(split, source), 0
        for piece in self._pieces(source):
            rows = piece[chosen[start : start + len(piece)]]
            start += len(piece)
            narrow = are_narrow(rows)
            edges = [0, *np.flatnonzero(np.diff(narrow)) + 1]
            for first, part in zip(edges, np.split(rows, edges[1:]), strict=True):
                yield part.view(NarrowPixels) if len(part) and narrow[first] else part

    def _chosen(self, split: str, source: str) -> npt.NDArray[np.bool_]:
        """Which images of the array belong to the split."""
        if not self._hold_out or source != "train":
            return np.ones(len(self._labels[source]), dtype=np.bool_)
        return self._held_out if split == "test" else ~self._held_out

    @cached_property
    def _held_out(self) -> npt.NDArray[np.bool_]:
        digests = [digest(image.tobytes()) for piece in self._pieces("train") for image in piece]
        return held_out(np.array(digests, dtype=np.uint64), self._labels["train"], self._parameters.test_fraction)

    def _pieces(self, source: str) -> Iterator[Pixels]:
        """(n, 3, H, W) uint8."""
        array, side = self._arrays[source], self._parameters.image_size
        for piece in array.pieces(max(1, PIECE // (3 * side**2))):
            yield piece if array.shape[1] == 3 else piece.transpose(0, 3, 1, 2)


def _check_images(array: ArrayFile, side: int) -> None:
    if not array.shape[0]:
        raise UserError(f"{array}: it holds no image; leave it out")
    if array.dtype != np.uint8:
        raise UserError(f"{array}: images of {array.dtype} found, uint8 of 0 to 255 expected")
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
    """(N,) int64, 0 and more. A column (N, 1) is taken, too."""
    if labels.dtype.kind not in "iu" or labels.shape not in ((array.shape[0],), (array.shape[0], 1)):
        raise UserError(
            f"{labels}: {labels.dtype} of shape {labels.shape} found, {array.shape[0]} whole numbers expected"
        )
    numbers = labels.whole().reshape(-1)
    most = np.iinfo(np.int32).max
    bad = np.flatnonzero((numbers < 0) | (numbers > most))
    if len(bad):
        raise UserError(f"{labels}: label {numbers[bad[0]]} at position {bad[0]}, 0 to {most} expected")
    return numbers.astype(np.int64)


def _class_names(root: Path, found: dict[str, ArrayFile], train: npt.NDArray[np.int64]) -> list[str]:
    """From the file, where there is one, else the numbers; none without labels."""
    if LABELS["train"] not in found:
        return []
    labels, path = found[LABELS["train"]], (root if root.is_dir() else root.parent) / CLASS_NAMES
    if len(np.unique(train)) < 2:
        raise UserError(f"{labels}: one class found, two or more expected, or no labels")
    count = int(train.max()) + 1
    from_1 = "; subtract 1 from all labels where they count from 1 on" if train.min() else ""
    if is_regular(path):
        names = read_class_names(path)
        if len(names) < count:
            raise UserError(f"{path}: {len(names)} names found, {count} expected, one a line{from_1}")
        check_distinct(path, names)
        return names
    if count > len(train):
        raise UserError(
            f"{labels}: label {count - 1} found among {len(train)} images; number the classes from 0 on, or name all "
            f"of them in {CLASS_NAMES}"
        )
    if from_1:
        raise UserError(
            f"{labels}: no label is 0, with which classes begin{from_1}, or name all classes in {CLASS_NAMES}"
        )
    return [str(number) for number in range(count)]


def _check_test(found: dict[str, ArrayFile], test: npt.NDArray[np.int64], train: npt.NDArray[np.int64]) -> None:
    """Labeled like train, with no class that train lacks."""
    if (LABELS["train"] in found) != (LABELS["test"] in found):
        there = ", ".join(sorted(found))
        raise UserError(f"{found['test']}: labels for train and test expected, or for none; found {there}")
    bad = np.flatnonzero(~np.isin(test, train))
    if len(bad):
        labels, label = found[LABELS["test"]], test[bad[0]]
        but = f", but no {label}" if label < train.max() else ""
        raise UserError(f"{labels}: label {label} at position {bad[0]}, train has 0 to {train.max()}{but}")
