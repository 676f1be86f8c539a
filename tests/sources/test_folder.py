"""Splits, classes and ignored files of a folder."""

import logging
import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from byol_kedro.sources import encoded as module
from tests.support.image_folders import (
    SPLITS,
    colors,
    decode_here,
    ingested,
    labeled_folder,
    write_image,
    write_tree,
)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(module, "decode_all", decode_here)


def ingest(tmp_path, **changes):
    return ingested("folder", tmp_path / "raw", tmp_path / "out", **changes)


def test_classes_are_folders_below_train_and_test(tmp_path):
    write_tree(
        tmp_path / "raw", ["train/b/0.png", "train/a/x/1.png", "train/b/2.png", "test/a/3.png", "unlabeled/4.png"]
    )
    images = ingest(tmp_path)
    assert images["train"].class_names == images["test"].class_names == ["a", "b"]
    assert images["train"].names == ["train/a/x/1.png", "train/b/0.png", "train/b/2.png"]
    assert images["train"].labels.tolist() == [0, 1, 1]
    assert images["test"].labels.tolist() == [0]
    assert images["unlabeled"].labels.tolist() == [-1]
    assert [colors(images[split]) for split in SPLITS] == [[4], [1, 0, 2], [3]]


def test_part_of_each_class_is_held_out_without_test(tmp_path):
    labeled_folder(tmp_path / "raw", per_class=8, classes="abc")
    images = ingest(tmp_path, test_fraction=0.25)
    assert np.bincount(images["train"].labels).tolist() == [6, 6, 6]
    assert np.bincount(images["test"].labels).tolist() == [2, 2, 2]
    assert sorted(colors(images["train"]) + colors(images["test"])) == list(range(24))
    for name, label in zip(images["test"].names, images["test"].labels, strict=True):
        assert name.split("/")[1] == "abc"[label]
    assert [split for split in SPLITS if images[split].held_out] == ["test"]


def test_held_out_images_do_not_depend_on_names(tmp_path):
    names = [f"train/{label}/{n}.png" for label in "ab" for n in range(8)]
    write_tree(tmp_path / "one/raw", names)
    write_tree(tmp_path / "two/raw", [name.replace(".png", "_renamed.png") for name in names])
    write_image(tmp_path / "two/raw/train/a/0_first.png", 999)
    one, two = (ingest(tmp_path / place) for place in ("one", "two"))
    moved = set(colors(one["test"])) ^ (set(colors(two["test"])) - {999})
    assert len(moved) <= 1  # the image that was added may take one's place


def test_copies_are_in_the_same_split(tmp_path):
    for n in range(10):
        for copy in "xyz":
            write_image(tmp_path / f"raw/train/{'ab'[n % 2]}/{n}{copy}.png", n)
    images = ingest(tmp_path)
    assert not set(colors(images["train"])) & set(colors(images["test"]))
    assert len(images["test"])


def test_folder_without_splits_is_unlabeled(tmp_path):
    write_tree(tmp_path / "raw", [f"{n}.png" for n in range(8)])
    images = ingest(tmp_path, test_fraction=0.25)
    assert [len(images[split]) for split in SPLITS] == [0, 6, 2]
    assert all((images[split].labels == -1).all() for split in SPLITS)
    assert images["train"].class_names == []


def test_class_folders_outside_train_are_logged(tmp_path, caplog):
    write_tree(tmp_path / "raw", ["cat/0.png", "cat/1.png", "dog/2.png", "dog/3.png"])
    with caplog.at_level(logging.INFO):
        images = ingest(tmp_path)
    assert (images["train"].labels == -1).all()
    assert "its 2 folders (cat …) are not used as classes; to use them, move them into" in caplog.text


@pytest.mark.parametrize("name", ["unlabeled/{}.png", "train/{}.png", "train/only/{}.png"])
def test_single_class_folder_is_no_class(tmp_path, name):
    write_tree(tmp_path / "raw", [name.format(n) for n in range(4)])
    images = ingest(tmp_path, test_fraction=0.25)
    assert [len(images[split]) for split in SPLITS] == [0, 3, 1]
    assert (images["train"].labels == -1).all()


def test_unlabeled_folder_stays_unlabeled(tmp_path):
    write_tree(tmp_path / "raw", ["train/0.png", "train/1.png", "unlabeled/2.png"])
    assert [len(images) for images in ingest(tmp_path).values()] == [1, 1, 1]


def test_ignored_files_are_logged_except_pairs(tmp_path, caplog):
    root = labeled_folder(tmp_path / "raw")
    for name in ("pairs.txt", "pairs.parquet", "pairs.pt", "notes.md"):
        (root / name).write_bytes(b"")
    with caplog.at_level(logging.INFO):
        ingest(tmp_path)
    assert "notes.md ignored, since there are the folders train" in caplog.text


def test_pair_files_are_not_counted_as_ignored(tmp_path):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(4)])
    for name in ("pairs.txt", "notes.txt"):
        (root / name).write_bytes(b"")
    assert ingest(tmp_path)["train"].ignored == {".txt": 1}


def test_test_folder_is_used_unchanged(tmp_path):
    write_tree(tmp_path / "raw", ["train/0.png", "train/1.png", "test/2.png"])
    images = ingest(tmp_path)
    assert [len(images[split]) for split in SPLITS] == [0, 2, 1]
    assert not images["test"].held_out


def test_other_files_are_counted(tmp_path):
    root = labeled_folder(tmp_path / "raw")
    for name in ("train/Thumbs.db", "train/a/notes.txt", "train/b/notes.txt", "train/a/README", "train/a/.x.png"):
        (root / name).write_bytes(b"")
    write_image(root / "train/.hidden/0.png")
    images = ingest(tmp_path)
    assert images["train"].ignored == {".txt": 2, ".db": 1, "hidden": 2, "no suffix": 1}
    assert len(images["train"]) + len(images["test"]) == 8


SYSTEM = [
    "@eaDir", "@EADIR", "#recycle", "#snapshot", "@Recycle", "$RECYCLE.BIN", "RECYCLER", "System Volume Information",
    "__MACOSX", "lost+found", "Temporary Items",
]  # fmt: skip


@pytest.mark.parametrize("name", SYSTEM)
def test_system_folders_are_ignored(tmp_path, name, caplog):
    root = labeled_folder(tmp_path / "raw")
    # Beside the splits, beside the classes, within a class; whole trees of images, as thumbnails and deleted ones are.
    for above in (".", "train", "train/a", "unlabeled"):
        write_tree(root / above / name, ["x.png", "0.png/thumb.png", "train/c/0.png"])
    with caplog.at_level(logging.INFO):
        images = ingest(tmp_path)
    assert images["train"].class_names == ["a", "b"]
    assert sorted(colors(images["train"]) + colors(images["test"])) == list(range(8))
    assert images["train"].ignored == {"system folders": 2}
    assert images["unlabeled"].ignored == {"system folders": 1}
    assert "since there are the folders" not in caplog.text
    assert "no images in" not in caplog.text


def test_unreadable_system_folder_is_ignored(tmp_path, monkeypatch):
    (write_tree(tmp_path / "raw", ["0.png", "1.png"]) / "lost+found").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("byol_kedro.sources.walk.os.scandir", refuse)
    assert len(ingest(tmp_path)["train"]) == 1


def test_names_similar_to_system_folders_are_read(tmp_path):
    write_tree(tmp_path / "raw", ["train/@eaDirs/lost+found.png", "train/recycle/0.png", "train/#1/0.png"])
    images = ingest(tmp_path)
    assert images["train"].class_names == ["#1", "@eaDirs", "recycle"]
    assert len(images["train"]) == 3


def test_broken_images_are_skipped_and_listed(tmp_path):
    root = write_tree(tmp_path / "raw", [f"train/{label}/{n}.png" for label in "ab" for n in range(5)])
    write_image(root / "test/a/0.png", 99)
    (root / "train/a/2.png").write_bytes(b"no image")
    (root / "train/b/9.jpg").write_bytes(b"")
    images = ingest(tmp_path, max_broken=0.2)["train"]
    assert images.broken == {
        "train/a/2.png": "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected",
        "train/b/9.jpg": "the file is empty",
    }
    assert colors(images) == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert images.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert "train/a/2.png" not in images.names


def test_links_are_followed_but_not_cycles(tmp_path):
    root = write_tree(tmp_path / "raw", ["train/a/0.png", "train/b/1.png"])
    write_tree(tmp_path / "elsewhere", ["2.png"])
    (root / "train/a/up").symlink_to(root / "train")
    (root / "train/b/linked").symlink_to(tmp_path / "elsewhere")
    (root / "train/b/3.png").symlink_to(root / "train/a/0.png")
    images = ingest(tmp_path)
    assert sorted(images["train"].names + images["test"].names) == [
        "train/a/0.png", "train/b/1.png", "train/b/3.png", "train/b/linked/2.png",
    ]  # fmt: skip
    assert images["train"].ignored == {"folders linked a second time": 1}


def test_names_are_case_sensitive(tmp_path):
    write_tree(tmp_path / "raw", ["train/a/x.png", "train/a/X.PNG", "train/b/y.png", "train/b/Y.png"])
    images = ingest(tmp_path)
    assert len(set(images["train"].names + images["test"].names)) == 4


def test_unprintable_names_are_escaped(tmp_path):
    names = ["слон.png", "象 🐘.png", "a\nb.png", os.fsdecode(b"\xff.png")]
    write_tree(tmp_path / "raw", [f"train/{label}/{name}" for label in ("كلب", "b") for name in names])
    images = ingest(tmp_path)
    found = sorted(images["train"].names + images["test"].names)
    shown = ["слон.png", "象 🐘.png", "a\\nb.png", "\\xff.png"]
    assert found == sorted(f"train/{label}/{name}" for label in ("كلب", "b") for name in shown)
    assert images["train"].class_names == ["b", "كلب"]


def test_class_names_are_unicode_normalized(tmp_path):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    write_tree(tmp_path / "raw", [f"train/{composed}/0.png", "train/thé/1.png", f"test/{apart}/2.png"])
    images = ingest(tmp_path)
    assert images["test"].labels.tolist() == [0]


def test_empty_class_folder_is_ignored(tmp_path, caplog):
    (labeled_folder(tmp_path / "raw") / "train/c").mkdir()
    with caplog.at_level(logging.INFO):
        assert ingest(tmp_path)["train"].class_names == ["a", "b"]
    assert "train: no images in c, ignored" in caplog.text


def test_images_are_resized_to_squares(tmp_path):
    root = tmp_path / "raw"
    for n, size in enumerate([(30, 20), (9, 90), (8, 8), (200, 100)]):
        (root / f"train/{'ab'[n % 2]}").mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 40).save(root / f"train/{'ab'[n % 2]}/{n}.bmp")
    images = ingest(tmp_path, image_size=16)
    assert images["train"].pixels.shape[1:] == (3, 16, 16)
    assert np.unique(images["train"].pixels).tolist() == [40]


def test_class_folder_linked_twice_is_named(tmp_path, caplog):
    root = labeled_folder(tmp_path / "raw")
    (root / "train/c").symlink_to("b")
    (root / "train/d").mkdir()
    (root / "train/d/e").symlink_to("../a")
    with caplog.at_level(logging.INFO):
        images = ingest(tmp_path)
    assert images["train"].class_names == ["a", "b"]
    assert images["train"].ignored == {"folders linked a second time": 2}
    assert f"{root}/train: each folder is read once: train/c is the same folder as train/b; train/d/e is" in caplog.text
    assert "no images in" not in caplog.text
