"""Class labels from the folders that images are in."""

import unicodedata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.sources.source import UNKNOWN_LABEL
from byol_kedro.sources.walk import File, printable

SHOWN = 10  # classes in a message


def labels_from_folders(
    root: Path, train: list[File], test: list[File]
) -> tuple[list[str], list[npt.NDArray[np.int64]]]:
    """Return the class names and the labels of train and test.

    The class is the folder below `train/` or `test/`. Its name is normalized to Unicode form C, because archives made
    on a Mac use form D. With fewer than two class folders in train there are no class names and all labels are unknown.

    Raises:
        UserError: Only some of the images are in class folders, or test has a class that train does not have.
    """
    classes = sorted({name for file in train if (name := class_of(file)) is not None})
    if len(classes) < 2:
        known = {name for file in test if (name := class_of(file)) is not None}
        if len(known) > 1:
            raise UserError(
                f"{root}/test has {len(known)} class folders, {root}/train has {len(classes)}; add one folder per "
                "class to train"
            )
        return [], [np.full(len(files), UNKNOWN_LABEL, dtype=np.int64) for files in (train, test)]
    return [printable(name) for name in classes], [_labels(root, files, classes) for files in (train, test)]


def class_of(file: File) -> str | None:
    """Return the name of the folder below `train/` or `test/` that contains the file at any depth."""
    parts = file.name.split("/", 2)
    return unicodedata.normalize("NFC", parts[1]) if len(parts) > 2 else None


def _labels(root: Path, files: list[File], classes: list[str]) -> npt.NDArray[np.int64]:
    number = {name: label for label, name in enumerate(classes)}
    labels = np.empty(len(files), dtype=np.int64)
    for position, file in enumerate(files):
        name = class_of(file)
        if name is None:
            raise UserError(
                f"{root}/{printable(file.name)} is not in a class folder; move it into one, or into unlabeled/ if its "
                "class is unknown"
            )
        if name not in number:
            raise UserError(
                f"{root}/{printable(file.name)}: train has no image of class {printable(name)}, "
                f"it has {', '.join(map(printable, classes[:SHOWN]))}{' …' if len(classes) > SHOWN else ''}"
            )
        labels[position] = number[name]
    return labels
