"""Each bad input is one clear line, and nothing is written."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from byol_kedro.datasets.decode import UnreadablePicture, decode
from byol_kedro.datasets.fetch import NEVER
from byol_kedro.datasets.images import ImagesDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.datasets.sources import folder
from byol_kedro.datasets.sources.cifar10 import CIFAR10 as ARCHIVE
from byol_kedro.datasets.sources.cifar10 import PYTHON
from byol_kedro.failed import clean_up
from byol_kedro.one_line import as_user_error
from byol_kedro.pipelines import ingest
from tests.datasets.bad_pictures import BAD_PICTURES
from tests.datasets.helpers import NEW, at, files_under, ingest_parameters, random_pixels
from tests.datasets.picture_folders import SIDE, SPLITS, decode_here, labelled_folder, write_picture, write_tree
from tests.datasets.test_array import pixels_of, write_npy, write_npz
from tests.datasets.test_cifar10 import python2_pickle, write_binary, write_python

Spoil = Callable[[Path], object]


def error_of(source: str, root: Path, out: Path, **changes: object) -> str:
    """The one line that the pipeline ingest ends with, as a run shows it."""
    entries = {f"images_{s}": ImagesDataset(filepath=str(out / f"{s}.npy"), version=at(NEW)) for s in SPLITS}
    changes = {"image_size": 32 if source == "cifar10" else SIDE} | changes
    parameters = {"params:ingest": MemoryDataset(ingest_parameters(**changes)), "params:seed": MemoryDataset(0)}
    catalog = DataCatalog({**entries, **parameters, "raw_images": MemoryDataset(RawImages(source, root, NEVER))})
    pipeline = ingest.create_pipeline().only_nodes("ingest")
    with pytest.raises(Exception) as caught:
        SequentialRunner().run(pipeline, catalog)
    clean_up(caught.value, pipeline, catalog)
    mendable = as_user_error(caught.value)
    assert mendable, repr(caught.value)
    assert len(str(mendable).splitlines()) == 1
    assert str(mendable).isprintable()
    assert not out.exists() or not files_under(out) - {f"{split}.npy" for split in SPLITS}
    return str(mendable)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(folder, "decode_all", decode_here)


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_named_with_what_is_wrong(tmp_path, name):
    file, write, expected = BAD_PICTURES[name]
    root = labelled_folder(tmp_path / "raw")
    write_tree(root, ["test/a/0.png", "unlabeled/0.png"])
    write(root / "train/a" / file)
    message = error_of("folder", root, tmp_path / "out")
    assert f"train/a/{file} (" in message
    assert expected in message
    assert "1 of 9 pictures for train" in message


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_bad_picture_is_unreadable_to_whoever_decodes_it(tmp_path, name):
    file, write, _ = BAD_PICTURES[name]
    write(tmp_path / file)
    with pytest.raises(UnreadablePicture):
        decode(tmp_path / file, SIDE)


def tree(*names: str) -> Spoil:
    return lambda root: write_tree(root, names)


def files(*names: str) -> Spoil:
    def write(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"no picture")

    return write


def folders(*names: str) -> Spoil:
    return lambda root: [(root / name).mkdir(parents=True) for name in names]


def both(*writers: Spoil) -> Spoil:
    return lambda root: [write(root) for write in writers]


def write_broken(root: Path) -> None:
    labelled_folder(root)
    for number in range(30):
        (root / f"train/a/bad{number:02}.png").write_bytes(b"no picture")


FOLDERS: dict[str, tuple[Spoil, str]] = {
    "nothing there": (lambda _: None, "raw_root RAW is not there: name the folder of the pictures"),
    "a file": (lambda root: root.write_bytes(b""), "raw_root RAW is no folder"),
    "an empty folder": (folders("."), "no picture below RAW; expected files that end in .bmp, .gif"),
    "text files": (files("a.txt", "b/c.txt"), "no picture below RAW (but 2 × .txt)"),
    "hidden files": (files(".a.png", "b/.c.png"), "no picture below RAW (but 2 × hidden)"),
    "an empty train": (folders("train/a", "train/b"), "no picture below RAW/train; expected"),
    "test alone": (tree("test/a/0.png"), "no picture below RAW"),
    "an empty test": (both(labelled_folder, folders("test/a")), "RAW/test holds no picture: put some there"),
    "a Train": (tree("Train/a/0.png", "Train/b/0.png"), "RAW/Train: folders are named unlabeled, train, test"),
    "a picture beside the classes": (both(labelled_folder, tree("train/x.png")), "RAW/train/x.png lies beside folders"),
    "a test picture beside the classes": (both(labelled_folder, tree("test/x.png")), "RAW/test/x.png lies beside"),
    "a class that train lacks": (
        both(labelled_folder, tree("test/c/x.png")),
        "RAW/test/c/x.png: train has no picture of class c, it has a, b",
    ),
    "a class whose name differs in case": (both(labelled_folder, tree("test/A/x.png")), "no picture of class A"),
    "classes in test alone": (tree("train/0.png", "test/a/1.png", "test/b/2.png"), "RAW/test has folders for 2"),
    "a class that only the broken are of": (
        both(labelled_folder, files("train/c/x.png")),
        "train/c/x.png (no picture: a JPEG",
    ),
    "a name with a line break": (both(labelled_folder, files("train/a/x\ny.png")), "train/a/x\\ny.png (no picture"),
    "a name of strange bytes": (both(labelled_folder, files("train/a/\udcff.png")), "train/a/\\xff.png (no picture"),
    "a broken picture that is held out or not": (both(tree("0.png", "1.png"), files("2.png")), "2.png (no picture"),
    "a broken picture in test": (both(labelled_folder, files("test/a/x.png")), "1 of 1 pictures for test"),
    "a broken picture in unlabeled": (both(labelled_folder, files("unlabeled/x.png")), "1 of 1 pictures for unlabeled"),
    "thirty broken pictures": (
        write_broken,
        "cannot be read, 0 are allowed (ingest.max_broken: 0): train/a/bad",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_taken_is_one_line(tmp_path, name):
    spoil, expected = FOLDERS[name]
    spoil(tmp_path / "raw")
    message = error_of("folder", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def test_of_many_broken_pictures_the_first_ten_are_named_and_no_more_are_read(tmp_path):
    write_broken(tmp_path / "raw")
    write_picture(tmp_path / "raw/test/a/0.png", 99)
    message = error_of("folder", tmp_path / "raw", tmp_path / "out", max_broken=0.1)
    assert "at least 10 of 38 pictures for train" in message
    assert "3 are allowed (ingest.max_broken: 0.1)" in message
    assert [f"bad{number:02}.png (" in message for number in range(11)] == [True] * 10 + [False]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    root = labelled_folder(tmp_path / "raw")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("train/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("byol_kedro.datasets.sources.walk.os.scandir", refuse)
    message = error_of("folder", root, tmp_path / "out")
    assert message == f"folder {root}/train/b cannot be read: Permission denied"


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
    "a negative label": (arrays(train=PIXELS, train_labels=LABELS - 1), "label -1 at position 0, 0 and more expected"),
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


def binary(change: Spoil) -> Spoil:
    return lambda root: change(write_binary(root) / ARCHIVE.folder)


def python(content: bytes) -> Spoil:
    return lambda root: (write_python(root) / PYTHON / "data_batch_2").write_bytes(content)


ONE = np.zeros((2, 3072), np.uint8)
CIFAR10: dict[str, tuple[Spoil, str]] = {
    "nothing there": (lambda _: None, "RAW/cifar-10-batches-bin/data_batch_1.bin is missing, and raw_url: never"),
    "a missing batch": (binary(lambda f: (f / "data_batch_3.bin").unlink()), "data_batch_3.bin is missing"),
    "a cut batch": (binary(lambda f: os.truncate(f / "test_batch.bin", 5000)), "5000 bytes found, a multiple of 3073"),
    "an empty batch": (binary(lambda f: os.truncate(f / "test_batch.bin", 0)), "0 bytes found"),
    "a label of 10": (
        binary(lambda f: (f / "data_batch_2.bin").write_bytes(bytes(3073) + b"\x0a" + bytes(3072))),
        "data_batch_2.bin: label 10 at position 1, 0 to 9 expected",
    ),
    "a missing Python batch": (lambda r: (write_python(r) / PYTHON / "test_batch").unlink(), "test_batch is missing"),
    "a program": (python(b"cos\nsystem\n(S'true'\ntR."), "data_batch_2: it would run"),
    "half a pickle": (python(python2_pickle(np.array([1, 2]), ONE)[:500]), "data_batch_2 is cut or no pickle"),
    "no pickle": (python(b"\xff\xff"), "data_batch_2 is cut or no pickle"),
    "pictures of another size": (python(python2_pickle(np.array([1, 2]), ONE[:, :300])), "3072 for each label"),
    "more labels than pictures": (python(python2_pickle(np.array([1, 2, 3]), ONE)), "3072 for each label"),
    "a list": (python(b"\x80\x02]."), "a list `labels` and an array `data`"),
    "a label of 11": (python(python2_pickle(np.array([1, 11]), ONE)), "label 11 at position 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CIFAR10)
def test_a_cifar10_that_cannot_be_taken_is_one_line(tmp_path, name):
    spoil, expected = CIFAR10[name]
    spoil(tmp_path / "raw")
    message = error_of("cifar10", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def test_cifar10_has_one_size(tmp_path):
    message = error_of("cifar10", write_binary(tmp_path / "raw"), tmp_path / "out", image_size=96)
    assert message.endswith("set ingest.image_size: 32")
