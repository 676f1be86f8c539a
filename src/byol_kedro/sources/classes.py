"""Which class the images of a folder belong to."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.sources.stream import UNKNOWN_LABEL, Pixels
from byol_kedro.sources.walk import File, printable


@dataclass(frozen=True, eq=False)
class Pool:
    """Files with labels (N,) int64 and keys (N, 16) uint8, and how many others were passed over, by the reason."""

    files: list[File]
    labels: npt.NDArray[np.int64]
    keys: Pixels
    ignored: dict[str, int]


def sort_into_classes(root: Path, train: list[File], test: list[File]) -> tuple[list[str], list[npt.NDArray[np.int64]]]:
    """The names of the classes and the labels of both; no names, and unknown labels, where there are no classes.

    Names of files begin with `train/` or `test/`; a class is the folder below that. Its name is taken in Unicode's
    form C, since a Mac's archives spell é otherwise. A single folder tells nothing apart and is no class.

    Raises UserError when some images have a class and others not, or test has one that train lacks.
    """
    classes = sorted({name for file in train if (name := class_of(file)) is not None})
    if len(classes) < 2:
        known = {name for file in test if (name := class_of(file)) is not None}
        if len(known) > 1:
            raise UserError(
                f"{root}/test has folders for {len(known)} classes, {root}/train for {len(classes)}: what is to be "
                "recognized has to be learned from train, which needs a folder for each class"
            )
        return [], [np.full(len(files), UNKNOWN_LABEL, dtype=np.int64) for files in (train, test)]
    return [printable(name) for name in classes], [_labels(root, files, classes) for files in (train, test)]


def class_of(file: File) -> str | None:
    """The folder below `train/` or `test/` that the file lies in, however deep."""
    parts = file.name.split("/", 2)
    return unicodedata.normalize("NFC", parts[1]) if len(parts) > 2 else None


def _labels(root: Path, files: list[File], classes: list[str]) -> npt.NDArray[np.int64]:
    number = {name: label for label, name in enumerate(classes)}
    labels = np.empty(len(files), dtype=np.int64)
    for position, file in enumerate(files):
        name = class_of(file)
        if name is None:
            raise UserError(
                f"{root}/{printable(file.name)} lies beside folders of classes: put it into one of them, "
                "or into unlabeled/ if its class is not known"
            )
        if name not in number:
            raise UserError(
                f"{root}/{printable(file.name)}: train has no image of class {printable(name)}, "
                f"it has {', '.join(map(printable, classes[:10]))}{' …' if len(classes) > 10 else ''}"
            )
        labels[position] = number[name]
    return labels
