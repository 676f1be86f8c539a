"""Splits and labels of images that come with words for both: in a table, in shards, in Parquet files."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.sources.encoded import Labels, unknown
from byol_kedro.sources.source import SPLITS, UNKNOWN_LABEL
from byol_kedro.sources.walk import File, printable

VALIDATION = "validation"
# What people call the splits; validation is used as test if there is no test.
_WORDS = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    VALIDATION: (VALIDATION, "valid", "val", "dev", "eval"),
    "unlabeled": ("unlabeled", "unlabelled", "unsupervised"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
SHOWN = 10  # classes in a message

logger = get_logger(__name__)
T = TypeVar("T")


@dataclass
class Listing:
    """Images of a split, each with the name of its class, or None if that is unknown."""

    files: list[File] = field(default_factory=list)
    classes: list[str | None] = field(default_factory=list)

    def add(self, file: File, label: str | None) -> None:
        """Append an image; the name of its class is normalized to Unicode form C."""
        self.files.append(file)
        self.classes.append(None if label is None else unicodedata.normalize("NFC", label))


def split_named(word: str) -> str | None:
    """Return the split that a word such as `val` stands for: one of `SPLITS`, `validation`, or None."""
    return _SPLIT_OF.get(word.strip().lower())


def split_in(path: str) -> str | None:
    """Return the split named in a path such as `data/train-00000-of-00002.parquet`; None if there is none.

    The name of the file counts before that of its folder.
    """
    for part in reversed(path.split("/")):
        for word in re.split(r"[^A-Za-z]+", part):
            if split := split_named(word):
                return split
    return None


def with_test(where: object, splits: Mapping[str, T]) -> dict[str, T]:
    """Return the given splits without validation: it is used as test if there is none, and ignored otherwise."""
    chosen = {split: value for split, value in splits.items() if split != VALIDATION}
    if VALIDATION in splits:
        if "test" in splits:
            logger.info("%s: the split validation is ignored, since there is a split test", printable(str(where)))
        else:
            logger.info("%s: no split test, the split validation is used as test", printable(str(where)))
            chosen["test"] = splits[VALIDATION]
    return chosen


def label(
    where: object, listings: Mapping[str, Listing], names: Sequence[str] = ()
) -> tuple[list[str], dict[str, list[File]], dict[str, Labels]]:
    """Number the classes. Images of train without a class are moved to unlabeled if others have one.

    Args:
        where: Where the images are, for messages.
        listings: The images of some of `SPLITS`.
        names: All classes in their order, if it is given; otherwise they are sorted, numbers by their value.

    Returns:
        The class names, empty with fewer than two classes in train; the files of each of `SPLITS`; and the labels of
        train and test, (N,) int64.

    Raises:
        UserError: There is no image to train on, or a test image has no class or one that train does not have.
    """
    all_of = {split: listings.get(split, Listing()) for split in SPLITS}
    train, test, unlabeled = all_of["train"], all_of["test"], all_of["unlabeled"]
    files = {split: listing.files for split, listing in all_of.items()}
    if not train.files and not unlabeled.files:
        raise UserError(f"{where}: no images to train on found; give some the split train or unlabeled")
    known = {name for name in train.classes if name is not None}
    if len(known) < 2:
        if len(found := {name for name in test.classes if name is not None}) > 1:
            raise UserError(
                f"{where}: the images of test have {len(found)} classes, those of train {len(known)}; give train labels"
            )
        logger.info("%s has no classes: results that need labels are skipped", printable(str(where)))
        return [], files, {split: unknown(files[split]) for split in ("train", "test")}
    order = list(names) or sorted(known, key=_by_value)
    number = {name: position for position, name in enumerate(order)}
    labels = {"test": _test_labels(where, test, number, known)}
    all_train = np.array([UNKNOWN_LABEL if name is None else number[name] for name in train.classes], dtype=np.int64)
    labeled = all_train != UNKNOWN_LABEL
    if not labeled.all():
        count = f"{int((~labeled).sum()):,} of {len(labeled):,}"
        logger.info("%s: %s images of train have no label and are used as unlabeled", printable(str(where)), count)
    files["train"] = [file for file, is_labeled in zip(train.files, labeled, strict=True) if is_labeled]
    rest = [file for file, is_labeled in zip(train.files, labeled, strict=True) if not is_labeled]
    files["unlabeled"] = [*unlabeled.files, *rest]
    labels["train"] = all_train[labeled]
    return [printable(name) for name in order], files, labels


def _test_labels(where: object, test: Listing, number: Mapping[str, int], known: set[str]) -> Labels:
    for file, name in zip(test.files, test.classes, strict=True):
        if name is None:
            raise UserError(
                f"{where}: {printable(file.name)}, an image of test, has no label, but those of train have; leave it "
                "out, or give it the split unlabeled"
            )
        if name not in known:
            shown = _shown(sorted(known, key=_by_value))
            raise UserError(
                f"{where}: {printable(file.name)} of test: train has no image of class {printable(name)}, it has "
                f"{shown}"
            )
    return np.array([number[str(name)] for name in test.classes], dtype=np.int64)


def _shown(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(map(printable, every[:SHOWN])) + (" …" if len(every) > SHOWN else "")


def _by_value(name: str) -> tuple[int, int, str]:
    """Sorts whole numbers by their value, before words."""
    is_number = name.isdecimal() and name.isascii() and len(name) < 19
    return (0, int(name), name) if is_number else (1, 0, name)
