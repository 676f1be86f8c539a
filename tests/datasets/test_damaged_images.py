"""Damaged pixels are detected, and neither reused by the next ingest nor an obstacle to it."""

import logging
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from byol_kedro.datasets import images
from byol_kedro.files import checked
from byol_kedro.files.integrity import DamagedError
from tests.support.damage import DAMAGE, flip, whole_or_one_line
from tests.support.image_datasets import NEW, OLD, images_dataset, random_pixels, stream_of
from tests.support.image_folders import colors, ingested, labeled_folder, write_image

FILES = ["images.npy", "images.json", "images.json.sha256"]


def version_file(folder: Path, name: str, version: str = OLD) -> Path:
    return folder / "images.npy" / version / name


def fault_of(folder: Path, version: str = NEW) -> str:
    with pytest.raises(DatasetError) as caught:
        images_dataset(folder, version).load()
    assert isinstance(caught.value.__cause__, DamagedError)
    return str(caught.value.__cause__)


def test_flipped_bit_in_the_header_is_detected(tmp_path: Path) -> None:
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(4)))
    path = version_file(tmp_path, "images.npy", NEW)
    whole = path.read_bytes()
    for position in range(len(whole) - random_pixels(4).nbytes):
        for bit in range(8):
            flip(path, position, bit)
            with whole_or_one_line():
                pixels = images_dataset(tmp_path, NEW).load().pixels
                # A space that is another space now.
                np.testing.assert_array_equal(pixels, random_pixels(4), strict=True)
            path.write_bytes(whole)


@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("position", [128, 300, -1])
def test_flipped_bit_in_the_pixels_is_detected(tmp_path: Path, position: int, bit: int) -> None:
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(4)))
    flip(version_file(tmp_path, "images.npy", NEW), position, bit)
    assert "images.npy has changed since it was written (fingerprint in images.json); run the" in fault_of(tmp_path)


def test_impossible_shape_is_refused(tmp_path: Path) -> None:
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(4)))
    with version_file(tmp_path, "images.npy", NEW).open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**56, 3, 6, 6)}
        np.lib.format.write_array_header_1_0(file, header)
    assert "128 bytes, uint8 and shape (72057594037927936, 3, 6, 6) found, 560 bytes" in fault_of(tmp_path)


def test_reordered_images_are_detected(tmp_path: Path) -> None:
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(4)))
    path = version_file(tmp_path, "images.npy", NEW)
    stored = np.load(path, mmap_mode="r+", allow_pickle=False)
    stored[:] = stored[::-1].copy()
    stored.flush()
    assert "has changed since it was written" in fault_of(tmp_path)


def test_changed_labels_are_detected(tmp_path: Path) -> None:
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(4)))
    path = version_file(tmp_path, "images.json", NEW)
    path.write_text(path.read_text("utf-8").replace('"labels": [0, 1', '"labels": [1, 0'))
    assert "images.json has changed since it was written" in fault_of(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_last_version_is_not_reused(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    whole = images_dataset(tmp_path, OLD).load()
    DAMAGE[damage](version_file(tmp_path, name))
    there = version_file(tmp_path, "images.npy").exists()  # else there is no last version
    with caplog.at_level(logging.WARNING):
        images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5)))
    again = images_dataset(tmp_path, NEW).load()
    np.testing.assert_array_equal(again.pixels, random_pixels(5))
    assert again.fingerprint == whole.fingerprint
    told = [message.startswith("images: all images are read again, because") for message in caplog.messages]
    assert told == ([True] if there else [])


@pytest.mark.parametrize("name", FILES)
def test_images_of_a_damaged_version_are_not_reused(tmp_path: Path, name: str) -> None:
    root, out = labeled_folder(tmp_path / "raw"), tmp_path / "out"
    before = colors(ingested("folder", root, out, OLD)["train"])
    path = out / "train.npy" / OLD / name.replace("images", "train")
    flip(path, -30, bit=3)
    write_image(root / "train" / "a" / "new.png", 99)
    again = ingested("folder", root, out, NEW)["train"]
    assert sorted(colors(again)) == sorted([*before, 99])


def test_copy_of_the_last_version_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "LARGE", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))

    def copy_badly(old: Path, new: Path) -> None:
        new.write_bytes(old.read_bytes())
        if new.suffix == ".tmp" and ".npy." in new.name:
            flip(new, -1)

    monkeypatch.setattr(images, "_link", copy_badly)
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5)))
    assert "has changed since it was written" in fault_of(tmp_path)


@pytest.mark.parametrize("linked", [False, True], ids=["written", "linked"])
def test_new_pixels_are_not_verified_again(tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "LARGE", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if linked:
        images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    monkeypatch.setattr("byol_kedro.datasets.stored_pixels.hash_blocks", None)
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5)))
    np.testing.assert_array_equal(images_dataset(tmp_path, NEW).load().pixels, random_pixels(5))
    assert version_file(tmp_path, "images.npy", NEW).stat().st_nlink == (2 if linked else 1)
