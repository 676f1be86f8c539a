"""Images round trip, unchanged ones are linked, and a failed save leaves nothing."""

import errno
import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from tests.support.image_datasets import NEW, OLD, files_under, images_dataset, random_pixels, stream_of


def inode(folder, version):
    return (folder / "images.npy" / version / "images.npy").stat().st_ino


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_images_round_trip(tmp_path, data):
    count, side = (data.draw(st.integers(low, 5)) for low in (0, 1))
    pixels = data.draw(hnp.arrays(np.uint8, (count, 3, side, side)))
    labels = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=count, max_size=count)), dtype=np.int64)
    names = data.draw(st.lists(st.text(st.characters(codec="utf-8")), min_size=count, max_size=count, unique=True))
    classes = data.draw(st.lists(st.text(st.characters(codec="utf-8")), max_size=3))
    shutil.rmtree(tmp_path / "images.npy", ignore_errors=True)
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(pixels, labels=labels, names=names, class_names=classes, folds=[labels[:1], labels[:0]]))
    images = dataset.load()
    np.testing.assert_array_equal(images.pixels, pixels, strict=True)
    np.testing.assert_array_equal(images.labels, labels, strict=True)
    assert (images.names, images.class_names, images.source) == (names, classes, "made")
    assert [fold.tolist() for fold in images.folds] == [labels[:1].tolist(), []]


def test_fingerprint_covers_pixels_and_labels(tmp_path):
    pixels = random_pixels(5)
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(pixels))
    labels = np.arange(5, dtype="<i8")
    assert dataset.load().fingerprint == sha256(pixels.tobytes() + labels.tobytes()).hexdigest()


def test_strided_pixels_are_saved_correctly(tmp_path):
    turned = random_pixels(4).transpose(0, 1, 3, 2)
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(turned))
    np.testing.assert_array_equal(np.load(dataset._get_load_path(), allow_pickle=False), turned)


def test_loaded_pixels_are_a_read_only_map(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(4)))
    pixels = dataset.load().pixels
    assert isinstance(pixels, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0


def test_empty_split_round_trip(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(0)))
    assert dataset.load().pixels.shape == (0, 3, 6, 6)
    assert dataset.preview()["data"] == []


def unread() -> Iterator[np.ndarray]:
    raise AssertionError("the images were read again")


def test_unchanged_origin_is_linked_without_reading(tmp_path):
    pixels = random_pixels(5)
    images_dataset(tmp_path, OLD).save(stream_of(pixels, origin={"sides": (1, 2)}))
    dataset = images_dataset(tmp_path, NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset.save(stream_of(pixels, origin={"sides": (1, 2)}, batches=unread))
    assert inode(tmp_path, NEW) == inode(tmp_path, OLD)
    assert dataset.resolve_load_version() == NEW
    np.testing.assert_array_equal(dataset.load().pixels, pixels)


def test_file_system_without_links_gets_a_copy(tmp_path, monkeypatch):
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))

    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5), batches=unread))
    assert inode(tmp_path, NEW) != inode(tmp_path, OLD)
    np.testing.assert_array_equal(images_dataset(tmp_path, NEW).load().pixels, random_pixels(5))


def test_changed_origin_is_written_again(tmp_path):
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5, seed=1), origin={"made": 2}))
    np.testing.assert_array_equal(images_dataset(tmp_path, NEW).load().pixels, random_pixels(5, seed=1))


@pytest.mark.parametrize("name", ["images.npy", "images.json"])
def test_truncated_last_version_is_not_linked(tmp_path, name):
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    with (tmp_path / "images.npy" / OLD / name).open("r+b") as file:
        file.truncate(150)
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5)))
    np.testing.assert_array_equal(images_dataset(tmp_path, NEW).load().pixels, random_pixels(5))


@pytest.mark.parametrize("count", [4, 6])
def test_wrong_number_of_images_leaves_nothing(tmp_path, count):
    with pytest.raises(DatasetError) as caught:
        images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5), batches=lambda: iter([random_pixels(count)])))
    assert isinstance(caught.value.__cause__, UserError)
    assert f"{count} images read, 5 expected" in str(caught.value.__cause__)
    assert files_under(tmp_path) == set()
    assert not images_dataset(tmp_path, NEW).exists()


def test_failed_save_keeps_the_last_version(tmp_path):
    def broken():
        yield random_pixels(2)
        raise RuntimeError("the source broke")

    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    before = files_under(tmp_path)
    with pytest.raises(DatasetError, match="the source broke"):
        images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5), origin={"made": 2}, batches=broken))
    assert files_under(tmp_path) == before
    dataset = images_dataset(tmp_path, NEW)
    assert dataset.resolve_load_version() == OLD
    np.testing.assert_array_equal(dataset.load().pixels, random_pixels(5))


def test_leftovers_are_not_a_version(tmp_path):
    images_dataset(tmp_path, OLD).save(stream_of(random_pixels(5)))
    left = tmp_path / "images.npy" / "2026-01-01T12.00.00.000Z" / ".images.npy.0a1b2c3d.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half of it")
    assert images_dataset(tmp_path, NEW).resolve_load_version() == OLD
    images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5), batches=unread))
    assert not left.parent.exists()


def test_full_disk_reports_the_needed_space(tmp_path):
    def full():
        yield random_pixels(2)
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(DatasetError) as caught:
        images_dataset(tmp_path, NEW).save(stream_of(random_pixels(5), batches=full))
    assert "540 bytes needed" in str(caught.value.__cause__)
    assert files_under(tmp_path) == set()


def test_truncated_file_reports_its_size(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(5)))
    path = tmp_path / "images.npy" / NEW / "images.npy"
    os.truncate(path, 200)
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert isinstance(caught.value.__cause__, UserError)
    assert "200 bytes" in str(caught.value.__cause__)
    assert f"{128 + 540} bytes" in str(caught.value.__cause__)


def test_missing_sidecar_is_named(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(5)))
    (tmp_path / "images.npy" / NEW / "images.json").unlink()
    with pytest.raises(DatasetError, match=r"images\.json is missing"):
        dataset.load()


def test_preview_covers_the_split(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(stream_of(random_pixels(30), labels=np.r_[-1, np.arange(29)]))
    preview = dataset.preview(nrows=2)
    assert preview["columns"] == ["name", "label", "class"]
    assert preview["data"] == [["train/0", -1, ""], ["train/29", 28, "class 28"]]
    json.dumps(preview)


def test_hundred_thousand_names_load_fast(tmp_path):
    count = 100_000
    pixels = np.zeros((count, 3, 1, 1), dtype=np.uint8)
    dataset = images_dataset(tmp_path, NEW)
    names = [f"unlabeled/{i:05d}" for i in range(count)]
    dataset.save(stream_of(pixels, names=names, class_names=[], batches=lambda: iter([pixels])))
    start = time.process_time()
    dataset.load()
    assert time.process_time() - start < 0.5
