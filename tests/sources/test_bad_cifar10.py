"""Invalid CIFAR-10 files are one clear error, and nothing is written."""

import os

import numpy as np
import pytest

from byol_kedro.sources.cifar10 import CIFAR10 as ARCHIVE
from byol_kedro.sources.cifar10 import PYTHON_FOLDER
from tests.support.spoiling import Spoil, error_of
from tests.support.written_sources import python2_pickle, write_binary, write_python


def binary(change: Spoil) -> Spoil:
    return lambda root: change(write_binary(root) / ARCHIVE.folder)


def python(content: bytes) -> Spoil:
    return lambda root: (write_python(root) / PYTHON_FOLDER / "data_batch_2").write_bytes(content)


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
    "a missing Python batch": (
        lambda r: (write_python(r) / PYTHON_FOLDER / "test_batch").unlink(), "test_batch is missing"
    ),
    "a program": (python(b"cos\nsystem\n(S'true'\ntR."), "data_batch_2: unsafe pickle, refused to load"),
    "half a pickle": (python(python2_pickle(np.array([1, 2]), ONE)[:500]), "data_batch_2 is truncated or not a pickle"),
    "no pickle": (python(b"\xff\xff"), "data_batch_2 is truncated or not a pickle"),
    "images of another size": (python(python2_pickle(np.array([1, 2]), ONE[:, :300])), "3072 for each label"),
    "more labels than images": (python(python2_pickle(np.array([1, 2, 3]), ONE)), "3072 for each label"),
    "a list": (python(b"\x80\x02]."), "a list `labels` and an array `data`"),
    "a label of 11": (python(python2_pickle(np.array([1, 11]), ONE)), "label 11 at position 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CIFAR10)
def test_invalid_cifar10_is_refused(tmp_path, name):
    spoil, expected = CIFAR10[name]
    spoil(tmp_path / "raw")
    message = error_of("cifar10", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def test_other_image_sizes_are_refused(tmp_path):
    message = error_of("cifar10", write_binary(tmp_path / "raw"), tmp_path / "out", image_size=96)
    assert message.endswith("set ingest.image_size: 32")
