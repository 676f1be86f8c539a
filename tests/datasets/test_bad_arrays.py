"""Each array that cannot be taken is one clear line, and nothing is written."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.helpers import random_pixels
from tests.datasets.spoiling import Spoil, error_of, files, folders
from tests.datasets.test_array import pixels_of, write_npy, write_npz

LABELS = np.arange(6) % 2
PIXELS = pixels_of(6)


def arrays(**given: np.ndarray) -> Spoil:
    return lambda root: write_npy(root, **given)


def damaged(name: str, change: Callable[[bytes], bytes], **given: np.ndarray) -> Spoil:
    def write(root: Path) -> None:
        path = write_npy(root, **given) / f"{name}.npy"
        path.write_bytes(change(path.read_bytes()))

    return write


def objects(root: Path) -> None:
    root.mkdir()
    np.save(root / "train.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


def names_of_classes(root: Path) -> None:
    arrays(train=PIXELS, train_labels=LABELS)(root)
    (root / "class_names.txt").write_text("one\n")


ARRAYS: dict[str, tuple[Spoil, str]] = {
    "nothing there": (lambda _: None, "raw_root RAW: a folder of .npy files, an .npy or an .npz expected"),
    "no arrays": (folders("."), "no unlabeled and no train found among no arrays"),
    "test alone": (arrays(test=PIXELS), "no unlabeled and no train found among test"),
    "floats": (arrays(train=PIXELS / 255), "train.npy: pictures of float64 found, uint8 of 0 to 255 expected"),
    "grey pictures": (arrays(train=PIXELS[:, 0]), "shape (6, 8, 8) found, (N, 8, 8, 3) or (N, 3, 8, 8) expected"),
    "four channels": (arrays(train=np.zeros((2, 8, 8, 4), np.uint8)), "shape (2, 8, 8, 4) found"),
    "another side": (arrays(train=random_pixels(2, 12)), "set ingest.image_size: 12"),
    "no square": (arrays(train=np.zeros((2, 8, 9, 3), np.uint8)), "shape (2, 8, 9, 3) found"),
    "a single number": (arrays(train=np.uint8(3)), "expected for shape ()"),
    "Python objects": (objects, "train.npy holds Python objects, which would have to be unpickled"),
    "stored by columns": (arrays(train=np.asfortranarray(PIXELS)), "is stored column by column"),
    "a cut file": (damaged("train", lambda b: b[:-5], train=PIXELS), "1147 bytes of data found, 1152 expected"),
    "a file with more": (damaged("train", lambda b: b + b"x", train=PIXELS), "1153 bytes of data found"),
    "an empty file": (damaged("train", lambda _: b"", train=PIXELS), "is no array as numpy.save writes it"),
    "a cut header": (damaged("train", lambda b: b[:40], train=PIXELS), "is no array as numpy.save writes it"),
    "no array": (files("train.npy"), "train.npy is no array as numpy.save writes it"),
    "labels of others": (arrays(train=PIXELS, train_labels=LABELS[:5]), "6 whole numbers expected"),
    "labels of fractions": (arrays(train=PIXELS, train_labels=LABELS / 2), "float64 of shape (6,) found"),
    "labels of text": (arrays(train=PIXELS, train_labels=LABELS.astype(str)), "6 whole numbers expected"),
    "a negative label": (arrays(train=PIXELS, train_labels=LABELS - 1), "label -1 at position 0, 0 to 2147483647"),
    "numbers that are no classes": (
        arrays(train=PIXELS, train_labels=LABELS * 5_000_000),
        "label 5000000 found among 6 pictures; number the classes from 0 on",
    ),
    "one class": (arrays(train=PIXELS, train_labels=LABELS * 0), "one class found, two or more expected"),
    "an unknown class in test": (
        arrays(train=PIXELS, train_labels=LABELS, test=PIXELS, test_labels=LABELS + 1),
        "label 2 at position 1, train has 0 to 1",
    ),
    "test without labels": (arrays(train=PIXELS, train_labels=LABELS, test=PIXELS), "labels for train and test"),
    "train without labels": (arrays(train=PIXELS, test=PIXELS, test_labels=LABELS), "labels for train and test"),
    "too few names": (names_of_classes, "class_names.txt: 1 names found, 2 expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_cannot_be_taken_are_one_line(tmp_path, name):
    spoil, expected = ARRAYS[name]
    spoil(tmp_path / "raw")
    message = error_of("array", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def wrong_sum(data: bytes) -> bytes:
    """A picture changed behind the archive's back."""
    return data.replace(PIXELS[3].tobytes(), PIXELS[4].tobytes())


@pytest.mark.parametrize(
    ("change", "expected"),
    [(lambda _: b"no archive", "is cut or no .npz file"), (lambda b: b[:-30], "is cut or no .npz file"),
     (lambda _: b"", "is cut or no .npz file"), (wrong_sum, "Bad CRC-32")],
    ids=["text", "cut", "empty", "changed"],
)  # fmt: skip
def test_a_damaged_npz_is_one_line(tmp_path, change, expected):
    path = write_npz(tmp_path / "raw", train=PIXELS)
    with zipfile.ZipFile(path, "w") as archive:
        file = io.BytesIO()
        np.save(file, PIXELS)
        archive.writestr("train.npy", file.getvalue())
    path.write_bytes(change(path.read_bytes()))
    assert expected in error_of("array", path, tmp_path / "out")
