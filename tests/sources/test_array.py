"""Images and labels in files of NumPy are read, and unchanged files are linked."""

import numpy as np
import pytest

from byol_kedro.sources import array as module
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, ingested
from tests.support.written_sources import SIDE, pixels_of, write_npy, write_npz


@pytest.mark.parametrize("write", [write_npy, write_npz])
@pytest.mark.parametrize("channels_last", [False, True])
def test_images_and_labels_are_read(tmp_path, monkeypatch, write, channels_last):
    monkeypatch.setattr(module, "BATCH_BYTES", 3 * 3 * SIDE**2)  # three images
    pixels = {split: pixels_of(7, seed) for seed, split in enumerate(SPLITS)}
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    arrays = {split: array.transpose(0, 2, 3, 1) if channels_last else array for split, array in pixels.items()}
    root = write(tmp_path / "raw", **arrays, train_labels=labels, test_labels=labels[::-1, None].astype(np.uint8))
    images = ingested("array", root, tmp_path / "out")
    for split in SPLITS:
        np.testing.assert_array_equal(images[split].pixels, pixels[split])
    assert images["train"].labels.tolist() == labels.tolist()
    assert images["test"].labels.tolist() == labels[::-1].tolist()
    assert images["unlabeled"].labels.tolist() == [-1] * 7
    assert images["train"].class_names == ["0", "1", "2"]
    assert images["test"].names[3] == "test/00003"


def test_part_of_each_class_is_held_out_without_test(tmp_path):
    pixels, labels = pixels_of(16), np.arange(16) % 2
    images = ingested("array", write_npy(tmp_path / "raw", train=pixels, train_labels=labels), tmp_path / "out")
    assert [np.bincount(images[split].labels).tolist() for split in ("train", "test")] == [[6, 6], [2, 2]]
    assert [split for split in SPLITS if images[split].held_out] == ["test"]
    for split in ("train", "test"):
        rows = [int(name.removeprefix("train/")) for name in images[split].names]
        np.testing.assert_array_equal(images[split].pixels, pixels[rows])
        np.testing.assert_array_equal(images[split].labels, labels[rows])


def test_single_npy_is_unlabeled(tmp_path):
    root = write_npy(tmp_path / "raw", images=pixels_of(8))
    images = ingested("array", root / "images.npy", tmp_path / "out")
    assert [len(images[split]) for split in SPLITS] == [0, 6, 2]
    assert all((images[split].labels == -1).all() for split in SPLITS)
    assert images["train"].class_names == []


def test_class_names_are_read(tmp_path):
    root = write_npy(tmp_path / "raw", train=pixels_of(4), train_labels=np.array([0, 0, 1, 1]))
    (root / "class_names.txt").write_text("cat\n\ndog\n", encoding="utf-8")
    assert ingested("array", root, tmp_path / "out")["train"].class_names == ["cat", "dog"]


def test_class_names_with_byte_order_mark_are_read(tmp_path):
    root = write_npy(tmp_path / "raw", train=pixels_of(4), train_labels=np.array([0, 0, 1, 1]))
    (root / "class_names.txt").write_bytes("\ufeffcafe\u0301\r\nthé\r\n".encode())
    assert ingested("array", root, tmp_path / "out")["train"].class_names == ["café", "thé"]


def test_single_npz_in_raw_root_is_read_with_class_names(tmp_path):
    pixels, labels = pixels_of(6), np.arange(6) % 2
    root = write_npz(tmp_path / "raw", train=pixels, train_labels=labels, test=pixels, test_labels=labels).parent
    (root / "class_names.txt").write_text("cat\ndog\n", encoding="utf-8")
    (root / "._images.npz").write_bytes(b"what macOS keeps beside it")
    for number, raw_root in enumerate((root, root / "images.npz")):
        images = ingested("array", raw_root, tmp_path / f"out{number}")
        np.testing.assert_array_equal(images["train"].pixels, pixels)
        assert images["train"].labels.tolist() == labels.tolist()
        assert images["train"].class_names == ["cat", "dog"]


@pytest.mark.parametrize("write", [write_npy, write_npz])
def test_ignored_arrays_are_logged(tmp_path, write, caplog):
    root = write(tmp_path / "raw", train=pixels_of(6), train_lables=np.arange(6) % 2)
    with caplog.at_level("INFO"):
        ingested("array", root, tmp_path / "out")
    other = "train_lables.npy" if write is write_npy else "train_lables"
    assert f"{root}: {other} ignored, only train read" in caplog.text


def test_class_without_images_is_accepted(tmp_path):
    root = write_npy(tmp_path / "raw", train=pixels_of(6), train_labels=np.array([0, 0, 0, 2, 2, 2]))
    assert ingested("array", root, tmp_path / "out")["train"].class_names == ["0", "1", "2"]


def test_unchanged_files_are_linked(tmp_path):
    root = write_npy(tmp_path / "raw", train=pixels_of(8))
    for version in (OLD, NEW):
        ingested("array", root, tmp_path / "out", version)
    links = [(tmp_path / f"out/{split}.npy" / NEW / f"{split}.npy").stat().st_nlink for split in SPLITS]
    assert links == [2, 2, 2]


def test_changed_labels_are_not_linked(tmp_path):
    for version, label in ((OLD, 0), (NEW, 1)):
        root = write_npy(tmp_path / "raw", train=pixels_of(8), train_labels=np.array([0, 1] * 3 + [label, 1]))
        images = ingested("array", root, tmp_path / "out", version)
    assert sorted(images["train"].labels.tolist() + images["test"].labels.tolist()) == [0] * 3 + [1] * 5
