"""Invalid arrays are one clear error, and nothing is written."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.image_datasets import random_pixels
from tests.support.spoiling import Spoil, error_of, files, folders
from tests.support.written_sources import pixels_of, write_npy, write_npz

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


def names_of_classes(content: str | bytes, labels: np.ndarray = LABELS) -> Spoil:
    def write(root: Path) -> None:
        arrays(train=PIXELS, train_labels=labels)(root)
        (root / "class_names.txt").write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def claims(shape: tuple[int, ...]) -> Spoil:
    """Write a train.npy that consists of a header with this shape."""

    def write(root: Path) -> None:
        root.mkdir()
        with (root / "train.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})

    return write


def pipe(root: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "train.npy")


def two_archives(root: Path) -> None:
    (write_npz(root, train=PIXELS).parent / "other.npz").write_bytes(b"")


ARRAYS: dict[str, tuple[Spoil, str]] = {
    "nothing there": (lambda _: None, "raw_root RAW: a folder of .npy files, an .npy or an .npz expected"),
    "no arrays": (folders("."), "unlabeled or train expected, found: none"),
    "test alone": (arrays(test=PIXELS), "unlabeled or train expected, found: test"),
    "floats": (arrays(train=PIXELS / 255), "train.npy: images of type float64 found, uint8 expected"),
    "gray images": (arrays(train=PIXELS[:, 0]), "shape (6, 8, 8) found, (N, 8, 8, 3) or (N, 3, 8, 8) expected"),
    "four channels": (arrays(train=np.zeros((2, 8, 8, 4), np.uint8)), "shape (2, 8, 8, 4) found"),
    "another side": (arrays(train=random_pixels(2, 12)), "set ingest.image_size: 12"),
    "no square": (arrays(train=np.zeros((2, 8, 9, 3), np.uint8)), "shape (2, 8, 9, 3) found"),
    "a single number": (arrays(train=np.uint8(3)), "train.npy: a single value of shape () found, an array with"),
    "a single label": (
        arrays(train=PIXELS, train_labels=np.int64(3)), "train_labels.npy: a single value of shape () found, an array"
    ),
    "Python objects": (objects, "train.npy contains Python objects"),
    "stored by columns": (arrays(train=np.asfortranarray(PIXELS)), "is in Fortran order"),
    "a cut file": (damaged("train", lambda b: b[:-5], train=PIXELS), "1147 bytes of data found, 1152 expected"),
    "a file with more": (damaged("train", lambda b: b + b"x", train=PIXELS), "1153 bytes of data found"),
    "an empty file": (damaged("train", lambda _: b"", train=PIXELS), "is not an .npy array"),
    "a cut header": (damaged("train", lambda b: b[:40], train=PIXELS), "is not an .npy array"),
    "no array": (files("train.npy"), "train.npy is not an .npy array"),
    "labels of others": (arrays(train=PIXELS, train_labels=LABELS[:5]), "6 integers expected"),
    "labels of fractions": (arrays(train=PIXELS, train_labels=LABELS / 2), "float64 of shape (6,) found"),
    "labels of text": (arrays(train=PIXELS, train_labels=LABELS.astype(str)), "6 integers expected"),
    "a negative label": (arrays(train=PIXELS, train_labels=LABELS - 1), "label -1 at position 0, 0 to 2147483647"),
    "numbers that are no classes": (
        arrays(train=PIXELS, train_labels=LABELS * 5_000_000),
        "label 5000000 found for 6 images; number the classes from 0",
    ),
    "one class": (arrays(train=PIXELS, train_labels=LABELS * 0), "one class found, at least two expected"),
    "an unknown class in test": (
        arrays(train=PIXELS, train_labels=LABELS, test=PIXELS, test_labels=LABELS + 1),
        "label 2 at position 1, train has 0 to 1",
    ),
    "test without labels": (arrays(train=PIXELS, train_labels=LABELS, test=PIXELS), "labels for both train and test"),
    "train without labels": (arrays(train=PIXELS, test=PIXELS, test_labels=LABELS), "labels for both train and test"),
    "a class in test that train lacks": (
        arrays(train=PIXELS, train_labels=LABELS * 2, test=PIXELS, test_labels=LABELS),
        "test_labels.npy: label 1 at position 1, train has 0 to 2 without 1",
    ),
    "labels from 1 on": (
        arrays(train=PIXELS, train_labels=LABELS + 1),
        "train_labels.npy: no label is 0; subtract 1 from all labels if they start at 1",
    ),
    "labels from 1 on, with names": (
        names_of_classes("one\ntwo\n", LABELS + 1),
        "class_names.txt: 2 names found, 3 expected, one per line; subtract 1 from all labels",
    ),
    "labels without images": (
        arrays(unlabeled=PIXELS, train_labels=LABELS), "train_labels.npy: the array train is missing"
    ),
    "a pipe, which nobody writes into": (pipe, "train.npy is a pipe; a file is expected"),
    "no image": (arrays(train=PIXELS, unlabeled=PIXELS[:0]), "unlabeled.npy: no images found; remove it"),
    "arrays of other names": (arrays(x_train=PIXELS), "found: x_train.npy; rename the arrays"),
    "several archives": (two_archives, "found: images.npz, other.npz; rename the arrays"),
    "more images than a number can hold": (claims((2**56, 8, 8, 3 << 8)), "0 bytes of data found"),
    "a size that wraps around to nothing": (claims((2**58, 8, 8, 3)), "0 bytes of data found, 55340232221128654848"),
    "a negative number of images": (claims((-2, 8, 8, 3)), "expected for shape (-2, 8, 8, 3)"),
    "too few names": (names_of_classes("one\n"), "class_names.txt: 1 names found, 2 expected"),
    "equal names": (names_of_classes("one\n\n one\n"), "classes 0 and 1 are both named one; give them different names"),
    "names that are spelled alike": (names_of_classes("café\ncafe\u0301\n"), "classes 0 and 1 are both named café"),
    "names in UTF-16": (names_of_classes("one\ntwo\n".encode("utf-16")), "is not UTF-8 text (byte 0)"),
    "names in Latin-1": (names_of_classes(b"cat\ncaf\xe9\n"), "is not UTF-8 text (byte 7)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_invalid_arrays_are_refused(tmp_path, name):
    spoil, expected = ARRAYS[name]
    spoil(tmp_path / "raw")
    message = error_of("array", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def wrong_sum(data: bytes) -> bytes:
    """Change an image without updating the checksum."""
    return data.replace(PIXELS[3].tobytes(), PIXELS[4].tobytes())


@pytest.mark.parametrize(
    ("change", "expected"),
    [(lambda _: b"no archive", "truncated or not an .npz"), (lambda b: b[:-30], "truncated or not an .npz"),
     (lambda _: b"", "truncated or not an .npz"), (wrong_sum, "Bad CRC-32")],
    ids=["text", "cut", "empty", "changed"],
)  # fmt: skip
def test_damaged_npz_is_refused(tmp_path, change, expected):
    path = write_npz(tmp_path / "raw", train=PIXELS)
    with zipfile.ZipFile(path, "w") as archive:
        file = io.BytesIO()
        np.save(file, PIXELS)
        archive.writestr("train.npy", file.getvalue())
    path.write_bytes(change(path.read_bytes()))
    assert expected in error_of("array", path, tmp_path / "out")
