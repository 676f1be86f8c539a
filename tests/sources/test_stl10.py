"""The files of STL-10 are read in order, and invalid ones are one clear error."""

import os
from pathlib import Path

import numpy as np
import pytest
import torchvision

from byol_kedro.errors import UserError
from byol_kedro.sources import stl10 as module
from byol_kedro.sources.stl10 import Stl10Source
from tests.support.image_datasets import NEW, OLD, STL10_SIDE, images_dataset, ingest_parameters, write_stl10


def open_source(root, side=STL10_SIDE):
    return Stl10Source(
        root,
        ingest_parameters(side),
        seed=0,
    )


def error_of(root, side=STL10_SIDE):
    with pytest.raises(UserError) as caught:
        open_source(root, side)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_are_transposed(tmp_path):
    side = STL10_SIDE
    folder = write_stl10(tmp_path)
    image = np.zeros((3, side, side), dtype=np.uint8)
    image[0, 0, :] = 200  # a red line along the TOP
    image[2, :, -1] = 100  # a blue line down the RIGHT
    with (folder / "train_X.bin").open("r+b") as file:
        for plane in image:
            for column in range(side):
                file.write(bytes(plane[row, column] for row in range(side)))
    first = next(iter(open_source(tmp_path).stream("train").batches()))[0]
    np.testing.assert_array_equal(first, image)


def test_batches_cover_the_file(tmp_path, monkeypatch):
    folder = write_stl10(tmp_path, count=20)
    monkeypatch.setattr(module, "BATCH_BYTES", 7 * 3 * STL10_SIDE**2)
    batches = list(open_source(tmp_path).stream("test").batches())
    raw = np.fromfile(folder / "test_X.bin", dtype=np.uint8).reshape(20, 3, STL10_SIDE, STL10_SIDE)
    assert [len(batch) for batch in batches] == [7, 7, 6]
    np.testing.assert_array_equal(np.concatenate(batches), raw.swapaxes(2, 3))


def test_labels_start_at_zero(tmp_path):
    write_stl10(tmp_path)
    source = open_source(tmp_path)
    assert source.stream("train").index.labels.tolist() == [*range(10)] * 2
    assert source.stream("unlabeled").index.labels.tolist() == [-1] * 20


def test_class_names_and_folds_are_read(tmp_path):
    write_stl10(tmp_path)
    source = open_source(tmp_path)
    assert source.stream("train").source.class_names == [f"class{i}" for i in range(10)]
    assert [fold.tolist() for fold in source.folds("train")] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert source.folds("test") == []


def test_names_are_unique(tmp_path):
    write_stl10(tmp_path)
    source = open_source(tmp_path)
    names = [name for split in ("unlabeled", "train", "test") for name in source.stream(split).index.names]
    assert len(set(names)) == len(names) == 60
    assert "test/00017" in names


def test_empty_unlabeled_file_is_an_empty_split(tmp_path):
    (write_stl10(tmp_path) / "unlabeled_X.bin").write_bytes(b"")
    assert open_source(tmp_path).stream("unlabeled").count == 0


@pytest.mark.parametrize("split", ["unlabeled", "train", "test"])
def test_truncated_image_file_is_refused(tmp_path, split):
    path = write_stl10(tmp_path) / f"{split}_X.bin"
    os.truncate(path, 1000)
    message = error_of(tmp_path)
    assert str(path) in message
    assert "1000 bytes found" in message
    assert "expected" in message


def test_other_image_size_is_suggested(tmp_path):
    write_stl10(tmp_path)
    assert f"set ingest.image_size: {STL10_SIDE}" in error_of(tmp_path, side=2 * STL10_SIDE)


@pytest.mark.parametrize("label", [0, 11, 255])
def test_invalid_label_is_named_with_its_position(tmp_path, label):
    labels = np.ones(20, dtype=np.uint8)
    labels[[13, 17]] = label
    labels.tofile(write_stl10(tmp_path) / "test_y.bin")
    assert f"test_y.bin: label {label} at position 13, 1 to 10 expected" in error_of(tmp_path)


def test_archive_matches_torchvision():
    theirs = torchvision.datasets.STL10
    known = dict(theirs.train_list + theirs.test_list)
    archive = Stl10Source.archive(Path())
    assert (archive.url, archive.md5, archive.folder) == (theirs.url, theirs.tgz_md5, theirs.base_folder)
    assert {name: archive.members[name].md5 for name in known} == known


def test_archive_has_the_expected_sizes():
    sizes = {name: member.size for name, member in Stl10Source.archive(Path()).members.items()}
    for split, count in (("unlabeled", 100_000), ("train", 5_000), ("test", 8_000)):
        assert sizes[f"{split}_X.bin"] == count * 3 * 96 * 96
        assert sizes.get(f"{split}_y.bin", count) == count


@pytest.mark.parametrize("name", ["class_names.txt", "fold_indices.txt"])
def test_binary_text_file_is_refused(tmp_path, name):
    path = write_stl10(tmp_path) / name
    path.write_bytes(b"\x89PNG\xff")
    assert f"{path} is not UTF-8 text (byte 0); save it as UTF-8" in error_of(tmp_path)


def test_windows_text_files_are_read(tmp_path):
    folder = write_stl10(tmp_path)
    expected = open_source(tmp_path)
    for name in ("class_names.txt", "fold_indices.txt"):
        text = (folder / name).read_text()
        (folder / name).write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    found = open_source(tmp_path)
    assert found.stream("train").source.class_names == expected.stream("train").source.class_names
    assert [fold.tolist() for fold in found.folds("train")] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_duplicate_class_names_are_refused(tmp_path):
    (write_stl10(tmp_path) / "class_names.txt").write_text("".join(f"class {n % 9}\n" for n in range(10)))
    assert "classes 0 and 9 are both named class 0" in error_of(tmp_path)


def test_missing_class_name_is_refused(tmp_path):
    (write_stl10(tmp_path) / "class_names.txt").write_text("a\n" * 9)
    assert "9 class names found, 10 expected" in error_of(tmp_path)


@pytest.mark.parametrize(("line", "found"), [("1 20", "position 20"), ("-1 2", "position -1"), ("1 x", "integers")])
def test_invalid_fold_is_named_by_its_line(tmp_path, line, found):
    (write_stl10(tmp_path) / "fold_indices.txt").write_text(f"0 1\n{line}\n")
    message = error_of(tmp_path)
    assert "fold_indices.txt, line 2" in message
    assert found in message


def test_train_without_images_is_refused(tmp_path):
    folder = write_stl10(tmp_path)
    for name in ("train_X.bin", "train_y.bin"):
        (folder / name).write_bytes(b"")
    assert "train_X.bin" in error_of(tmp_path)


def inode(folder, version):
    return (folder / "images.npy" / version / "images.npy").stat().st_ino


def save_twice(root, change):
    images_dataset(root, OLD).save(open_source(root).stream("train"))
    change()
    images_dataset(root, NEW).save(open_source(root).stream("train"))
    return inode(root, OLD) == inode(root, NEW)


def test_unchanged_files_are_linked(tmp_path):
    write_stl10(tmp_path)
    assert save_twice(tmp_path, lambda: None)


@pytest.mark.parametrize("name", ["train_X.bin", "train_y.bin", "class_names.txt", "fold_indices.txt"])
def test_touched_file_is_read_again(tmp_path, name):
    path = write_stl10(tmp_path) / name
    assert not save_twice(tmp_path, lambda: os.utime(path, ns=(0, 0)))


def test_files_of_another_split_do_not_matter(tmp_path):
    path = write_stl10(tmp_path) / "test_X.bin"
    assert save_twice(tmp_path, lambda: os.utime(path, ns=(0, 0)))
