"""Each array that cannot be taken is one clear line, and nothing is written."""

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
    """A train.npy of no more than a header, which claims a shape."""

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
    "no arrays": (folders("."), "no unlabeled and no train found among no arrays"),
    "test alone": (arrays(test=PIXELS), "no unlabeled and no train found among test"),
    "floats": (arrays(train=PIXELS / 255), "train.npy: images of float64 found, uint8 of 0 to 255 expected"),
    "gray images": (arrays(train=PIXELS[:, 0]), "shape (6, 8, 8) found, (N, 8, 8, 3) or (N, 3, 8, 8) expected"),
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
        "label 5000000 found among 6 images; number the classes from 0 on",
    ),
    "one class": (arrays(train=PIXELS, train_labels=LABELS * 0), "one class found, two or more expected"),
    "an unknown class in test": (
        arrays(train=PIXELS, train_labels=LABELS, test=PIXELS, test_labels=LABELS + 1),
        "label 2 at position 1, train has 0 to 1",
    ),
    "test without labels": (arrays(train=PIXELS, train_labels=LABELS, test=PIXELS), "labels for train and test"),
    "train without labels": (arrays(train=PIXELS, test=PIXELS, test_labels=LABELS), "labels for train and test"),
    "a class in test that train lacks": (
        arrays(train=PIXELS, train_labels=LABELS * 2, test=PIXELS, test_labels=LABELS),
        "test_labels.npy: label 1 at position 1, train has 0 to 2, but no 1",
    ),
    "labels from 1 on": (
        arrays(train=PIXELS, train_labels=LABELS + 1),
        "train_labels.npy: no label is 0, with which classes begin; subtract 1 from all labels where they count from 1",
    ),
    "labels from 1 on, with names": (
        names_of_classes("one\ntwo\n", LABELS + 1),
        "class_names.txt: 2 names found, 3 expected, one a line; subtract 1 from all labels",
    ),
    "labels without images": (
        arrays(unlabeled=PIXELS, train_labels=LABELS), "train_labels.npy: there is no train that it could be of"
    ),
    "a pipe, which nobody writes into": (pipe, "train.npy is a pipe; a file is expected"),
    "no image": (arrays(train=PIXELS, unlabeled=PIXELS[:0]), "unlabeled.npy: it holds no image; leave it out"),
    "arrays of other names": (arrays(x_train=PIXELS), "found among x_train.npy; name the arrays so"),
    "several archives": (two_archives, "found among other.npz, images.npz; name the arrays so"),
    "more images than a number can hold": (claims((2**56, 8, 8, 3 << 8)), "0 bytes of data found"),
    "a size that wraps around to nothing": (claims((2**58, 8, 8, 3)), "0 bytes of data found, 55340232221128654848"),
    "a negative number of images": (claims((-2, 8, 8, 3)), "expected for shape (-2, 8, 8, 3)"),
    "too few names": (names_of_classes("one\n"), "class_names.txt: 1 names found, 2 expected"),
    "equal names": (names_of_classes("one\n\n one\n"), "classes 0 and 1 are both named one; give each a name of its"),
    "names that are spelled alike": (names_of_classes("café\ncafe\u0301\n"), "classes 0 and 1 are both named café"),
    "names in UTF-16": (names_of_classes("one\ntwo\n".encode("utf-16")), "is no text in UTF-8 (byte 0)"),
    "names in Latin-1": (names_of_classes(b"cat\ncaf\xe9\n"), "is no text in UTF-8 (byte 7)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_cannot_be_taken_are_one_line(tmp_path, name):
    spoil, expected = ARRAYS[name]
    spoil(tmp_path / "raw")
    message = error_of("array", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def wrong_sum(data: bytes) -> bytes:
    """An image changed behind the archive's back."""
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
