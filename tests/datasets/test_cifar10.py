import pickle
import tarfile
from dataclasses import replace
from hashlib import md5

import numpy as np
import pytest

from byol_kedro.datasets.archives import Member
from byol_kedro.datasets.raw import RawImages
from byol_kedro.datasets.sources import cifar10
from byol_kedro.datasets.sources.cifar10 import BATCHES, CIFAR10, CLASSES, PYTHON, SIDE, Cifar10
from tests.datasets.helpers import ingest_parameters
from tests.datasets.picture_folders import ingested

N = 12  # pictures in a batch


def contents():
    """Labels (N,) and pixels (N, 3072) of every batch."""
    generator = np.random.default_rng(0)
    names = [*BATCHES["train"], *BATCHES["test"]]
    return {name: (generator.integers(0, 10, N), generator.integers(0, 256, (N, 3072), np.uint8)) for name in names}


def write_binary(root):
    (root / CIFAR10.folder).mkdir(parents=True)
    for name, (labels, pixels) in contents().items():
        np.c_[labels.astype(np.uint8), pixels].tofile(root / CIFAR10.folder / f"{name}.bin")
    return root


def text(value):
    """A string as Python 2 pickles it."""
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + len(value).to_bytes(4, "little") + value


def number(value):
    return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")


def python2_pickle(labels, pixels):
    """What Python 2 and NumPy wrote: the instructions of the published files."""
    array = b"".join([
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85", text(b"b"), b"\x87R",
        b"(K\x01", number(len(pixels)), number(pixels.shape[1]), b"\x86cnumpy\ndtype\nq\x03", text(b"u1"),
        b"K\x00K\x01\x87R(K\x03", text(b"|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
        text(pixels.tobytes()), b"tb",
    ])  # fmt: skip
    names = b"](" + b"".join(text(b"x%d.png" % n) for n in range(len(labels))) + b"e"
    items = text(b"batch_label") + text(b"training batch 1 of 5") + text(b"labels") + b"](" + b"".join(
        map(number, labels.tolist())
    ) + b"e" + text(b"data") + array + text(b"filenames") + names  # fmt: skip
    return b"\x80\x02}q\x00(" + items + b"u."


def write_python(root):
    (root / PYTHON).mkdir(parents=True)
    for name, (labels, pixels) in contents().items():
        (root / PYTHON / name).write_bytes(python2_pickle(labels, pixels))
    return root


def test_the_pickle_of_these_tests_is_one_that_python_reads_likewise():
    labels, pixels = contents()["test_batch"]
    loaded = pickle.loads(python2_pickle(labels, pixels), encoding="bytes")
    assert loaded[b"labels"] == labels.tolist()
    np.testing.assert_array_equal(loaded[b"data"], pixels)


def test_the_binary_version_is_fetched_where_none_is_there(tmp_path, monkeypatch):
    folder = write_binary(tmp_path / "made") / CIFAR10.folder
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, CIFAR10.folder)
    members = {file.name: Member(file.stat().st_size) for file in folder.iterdir()}
    archive = replace(CIFAR10, size=path.stat().st_size, md5=md5(path.read_bytes()).hexdigest(), members=members)
    monkeypatch.setattr(cifar10, "CIFAR10", archive)
    handle = RawImages("cifar10", tmp_path / "raw", path.as_uri())
    assert handle.open(ingest_parameters(SIDE), seed=0).stream("test").count == N


def test_the_python_version_alone_needs_no_other(tmp_path):
    assert Cifar10.archive(write_python(tmp_path)) is None
    assert Cifar10.archive(write_binary(tmp_path)) is CIFAR10


def test_what_is_fetched_are_six_batches_of_ten_thousand():
    assert {name: member.size for name, member in CIFAR10.members.items()} == {
        **{f"data_batch_{number}.bin": 30_730_000 for number in range(1, 6)},
        "test_batch.bin": 30_730_000,
    }


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_both_versions_give_labels_and_pictures_in_their_order(tmp_path, write):
    images = ingested("cifar10", write(tmp_path / "raw"), tmp_path / "out", image_size=SIDE)
    batches = contents()
    for split in ("train", "test"):
        labels, pixels = (np.concatenate(parts) for parts in zip(*(batches[n] for n in BATCHES[split]), strict=True))
        np.testing.assert_array_equal(images[split].labels, labels)
        np.testing.assert_array_equal(images[split].pixels, pixels.reshape(-1, 3, 32, 32))
        assert images[split].class_names == list(CLASSES)
    assert images["test"].names[3] == "test/00003"
    assert len(images["unlabeled"]) == 0
