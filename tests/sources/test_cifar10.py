"""Both versions of CIFAR-10 are read in order."""

import pickle
import tarfile
from dataclasses import replace
from hashlib import md5

import numpy as np
import pytest

from byol_kedro.datasets.raw import RawImages
from byol_kedro.files.archives import Member
from byol_kedro.sources import cifar10
from byol_kedro.sources.cifar10 import BATCHES, CIFAR10, CLASSES, SIDE, Cifar10Source
from tests.support.image_datasets import ingest_parameters
from tests.support.image_folders import ingested
from tests.support.written_sources import N, contents, python2_pickle, write_binary, write_python


def test_pickle_of_the_tests_is_read_by_python():
    labels, pixels = contents()["test_batch"]
    loaded = pickle.loads(python2_pickle(labels, pixels), encoding="bytes")
    assert loaded[b"labels"] == labels.tolist()
    np.testing.assert_array_equal(loaded[b"data"], pixels)


def test_binary_version_is_downloaded(tmp_path, monkeypatch):
    folder = write_binary(tmp_path / "made") / CIFAR10.folder
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(folder, CIFAR10.folder)
    members = {file.name: Member(file.stat().st_size) for file in folder.iterdir()}
    archive = replace(CIFAR10, size=path.stat().st_size, md5=md5(path.read_bytes()).hexdigest(), members=members)
    monkeypatch.setattr(cifar10, "CIFAR10", archive)
    handle = RawImages("cifar10", tmp_path / "raw", path.as_uri())
    assert handle.open(ingest_parameters(SIDE), seed=0).stream("test").count == N


def test_python_version_needs_no_download(tmp_path):
    assert Cifar10Source.archive(write_python(tmp_path)) is None
    assert Cifar10Source.archive(write_binary(tmp_path)) is CIFAR10


def test_archive_has_six_batches_of_ten_thousand():
    assert {name: member.size for name, member in CIFAR10.members.items()} == {
        **{f"data_batch_{number}.bin": 30_730_000 for number in range(1, 6)},
        "test_batch.bin": 30_730_000,
    }


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_both_versions_are_read_in_order(tmp_path, write):
    images = ingested("cifar10", write(tmp_path / "raw"), tmp_path / "out", image_size=SIDE)
    batches = contents()
    for split in ("train", "test"):
        labels, pixels = (np.concatenate(parts) for parts in zip(*(batches[n] for n in BATCHES[split]), strict=True))
        np.testing.assert_array_equal(images[split].labels, labels)
        np.testing.assert_array_equal(images[split].pixels, pixels.reshape(-1, 3, 32, 32))
        assert images[split].class_names == list(CLASSES)
    assert images["test"].names[3] == "test/00003"
    assert len(images["unlabeled"]) == 0
