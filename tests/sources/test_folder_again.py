"""A second ingest of a folder reuses unchanged images, and only these."""

import os

import pytest
from kedro.io import DatasetError

from byol_kedro.sources import encoded as module
from byol_kedro.sources import hold_out
from tests.support.image_datasets import NEW, OLD
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


def ingest(tmp_path, version=NEW, **changes):
    return ingested("folder", tmp_path / "raw", tmp_path / "out", version, **changes)


def link_count(tmp_path, split, version):
    return (tmp_path / f"out/{split}.npy" / version / f"{split}.npy").stat().st_nlink


def test_unchanged_folder_is_linked_without_opening_files(tmp_path, monkeypatch):
    labeled_folder(tmp_path / "raw")
    ingest(tmp_path, OLD)
    monkeypatch.setattr(module, "decode_all", None)
    monkeypatch.setattr(hold_out, "digest_file", None)
    ingest(tmp_path, NEW)
    assert [link_count(tmp_path, split, NEW) for split in SPLITS] == [2, 2, 2]


@pytest.mark.parametrize(
    "changes", [{"image_size": 9}, {"test_fraction": 0.5}, {"max_broken": 0.5}], ids=lambda changes: next(iter(changes))
)
def test_changed_parameters_are_not_linked(tmp_path, changes):
    labeled_folder(tmp_path / "raw")
    ingest(tmp_path, OLD)
    ingest(tmp_path, NEW, **changes)
    assert link_count(tmp_path, "train", NEW) == 1


def decoded_names(monkeypatch):
    """Collect the names of the decoded files."""
    names = []

    def decode_all(paths, size):
        paths = list(paths)
        names.extend(path.name for path in paths)
        return real(paths, size)

    real = module.decode_all
    monkeypatch.setattr(module, "decode_all", decode_all)
    return names


def test_only_changed_files_are_decoded(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "raw", [f"train/{label}/{label}{n}.png" for label in "ab" for n in range(5)])
    write_image(root / "test/a/t.png", 99)
    ingest(tmp_path, OLD)
    write_image(root / "train/a/a00.png", 50)
    write_image(root / "train/b/b9.png", 51)
    os.utime(write_image(root / "train/a/a3.png", 52), ns=(0, 0))
    (root / "train/b/b1.png").unlink()
    names = decoded_names(monkeypatch)
    images = ingest(tmp_path, NEW)["train"]
    assert sorted(names) == ["a00.png", "a3.png", "b9.png"]
    assert colors(images) == [0, 50, 1, 2, 52, 4, 5, 7, 8, 9, 51]
    assert images.names[1] == "train/a/a00.png"
    assert images.labels.tolist() == [0] * 6 + [1] * 5


def test_number_of_reused_images_is_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    root = write_tree(
        tmp_path / "raw", [f"train/{label}/{n}.png" for label in "ab" for n in range(5)] + ["test/a/t.png"]
    )
    ingest(tmp_path, OLD)
    assert "unchanged" not in caplog.text
    write_image(root / "train/a/new.png", 50)
    ingest(tmp_path, NEW)
    assert [line for line in caplog.messages if "unchanged" in line] == ["train: 1 decoded, 10 unchanged"]


def test_broken_images_are_tried_again(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "raw", ["train/a/0.png", "train/b/1.png", "test/a/2.png"])
    (root / "train/b/bad.png").write_bytes(b"no image")
    ingest(tmp_path, OLD, max_broken=0.5)
    write_image(root / "train/a/3.png", 3)
    names = decoded_names(monkeypatch)
    images = ingest(tmp_path, NEW, max_broken=0.5)["train"]
    assert names == ["3.png", "bad.png"]
    assert list(images.broken) == ["train/b/bad.png"]
    assert colors(images) == [0, 3, 1]


def test_lower_max_broken_counts_for_reused_images(tmp_path):
    root = write_tree(tmp_path / "raw", ["train/a/0.png", "train/b/1.png", "test/a/2.png"])
    (root / "train/a/bad.png").write_bytes(b"no image")
    ingest(tmp_path, OLD, max_broken=0.5)
    with pytest.raises(DatasetError, match="1 of 3 images for train"):
        ingest(tmp_path, NEW)


def test_labels_of_reused_images_are_updated(tmp_path):
    root = write_tree(tmp_path / "raw", ["train/b/0.png", "train/c/1.png", "test/b/2.png"])
    ingest(tmp_path, OLD)
    write_image(root / "train/a/3.png", 3)
    images = ingest(tmp_path, NEW)["train"]
    assert images.class_names == ["a", "b", "c"]
    assert dict(zip(colors(images), images.labels.tolist(), strict=True)) == {3: 0, 0: 1, 1: 2}


def test_partial_and_full_ingest_give_equal_pixels(tmp_path):
    root = labeled_folder(tmp_path / "raw", per_class=6)
    ingest(tmp_path, OLD)
    write_image(root / "train/a/new.png", 77)
    added = ingest(tmp_path, NEW)
    whole = ingested("folder", root, tmp_path / "other")
    for split in SPLITS:
        assert added[split].fingerprint == whole[split].fingerprint
        assert added[split].names == whole[split].names
