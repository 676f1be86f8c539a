"""Parquet files: columns, splits and labels, reading again, and errors."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from byol_kedro.sources import encoded
from byol_kedro.sources.parquet import ParquetSource
from byol_kedro.sources.shards import Shard
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, colors, decode_here, ingested, labeled_folder, write_image
from tests.support.shard_files import png, write_parquet

NAMES = ["dog", "cat"]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)


def ingest(tmp_path, version=NEW, root="raw", **changes):
    return ingested("parquet", tmp_path / root, tmp_path / "out", version, **changes)


def files(tmp_path, **splits):
    """Write a file for each split, of 4 images of two classes by default."""
    for split, (first, labels) in splits.items():
        images = [png(first + n) for n in range(len(labels))]
        write_parquet(tmp_path / f"raw/data/{split}-00000-of-00001.parquet", images, labels, NAMES)


def test_equals_the_source_folder(tmp_path):
    root = labeled_folder(tmp_path / "folder", 6)
    write_image(root / "test/b/0.png", 50)
    expected = ingested("folder", root, tmp_path / "other")
    contents = [(root / f"train/{c}/{n}.png").read_bytes() for c in "ab" for n in range(6)]
    write_parquet(tmp_path / "raw/train-0-of-2.parquet", contents[:5], [0] * 5, "ab", group=2)
    write_parquet(tmp_path / "raw/train-1-of-2.parquet", contents[5:], [0, *[1] * 6], "ab", group=3)
    write_parquet(tmp_path / "raw/test-0-of-1.parquet", [(root / "test/b/0.png").read_bytes()], [1], "ab")
    found = ingest(tmp_path)
    for split in SPLITS:
        assert found[split].fingerprint == expected[split].fingerprint
        assert found[split].class_names == expected[split].class_names


def test_held_out_images_are_those_of_the_source_folder(tmp_path):
    root = labeled_folder(tmp_path / "folder", 8)
    expected = ingested("folder", root, tmp_path / "other")
    contents = [(root / f"train/{c}/{n}.png").read_bytes() for c in "ab" for n in range(8)]
    write_parquet(tmp_path / "raw/train.parquet", contents, [*"a" * 8, *"b" * 8])
    found = ingest(tmp_path)
    assert {split: found[split].fingerprint for split in SPLITS} == {
        split: expected[split].fingerprint for split in SPLITS
    }


def test_names_and_the_order_of_classes(tmp_path):
    files(tmp_path, train=(0, [1, 0, 1]), test=(50, [0]), unlabeled=(60, [-1, None]))
    images = ingest(tmp_path)
    assert images["train"].class_names == NAMES
    assert images["train"].labels.tolist() == [1, 0, 1]
    assert images["train"].names[1] == "data/train-00000-of-00001/00001/1.png"
    assert colors(images["unlabeled"]) == [60, 61]
    assert images["unlabeled"].labels.tolist() == [-1, -1]


def test_folder_of_files_for_each_split(tmp_path):
    write_parquet(tmp_path / "raw/train/0.parquet", [png(0)], ["a"])
    write_parquet(tmp_path / "raw/train/1.parquet", [png(1)], ["b"])
    write_parquet(tmp_path / "raw/validation/0.parquet", [png(2)], ["a"])
    images = ingest(tmp_path)
    assert [colors(images[split]) for split in SPLITS] == [[], [0, 1], [2]]


def test_one_file_without_a_split(tmp_path):
    write_parquet(tmp_path / "raw/x.parquet", map(png, range(8)))
    images = ingest(tmp_path, root="raw/x.parquet")
    assert [len(images[split]) for split in SPLITS] == [0, 6, 2]
    assert images["train"].class_names == []


@pytest.mark.parametrize("kind", ["binary", "struct without path", "dictionary of labels", "other names"])
def test_columns(tmp_path, kind):
    contents, labels = [png(n) for n in range(4)], ["a", "b", "b", "a"]
    columns = {"image": pa.array(contents, pa.binary()), "label": pa.array(labels)}
    if kind == "struct without path":
        columns["image"] = pa.array([{"bytes": one} for one in contents])
    elif kind == "dictionary of labels":
        columns["label"] = columns["label"].dictionary_encode()
    elif kind == "other names":
        columns = {"id": pa.array(range(4)), "img": columns["image"], "labels": columns["label"]}
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "raw/train.parquet")
    write_parquet(tmp_path / "raw/test.parquet", [png(5)], ["b"])
    images = ingest(tmp_path)
    assert colors(images["train"]) == [0, 1, 2, 3]
    assert images["train"].labels.tolist() == [0, 1, 1, 0]
    assert images["test"].labels.tolist() == [1]


def test_only_rows_of_changed_files_are_decoded_again(tmp_path, monkeypatch):
    files(tmp_path, train=(0, [1, 0, 1]), test=(50, [0]))
    ingest(tmp_path, OLD)
    write_parquet(tmp_path / "raw/data/train-1.parquet", [png(7), png(8)], [0, 1], NAMES)
    read = []
    monkeypatch.setattr(
        encoded, "decode_all", lambda contents, size: decode_here((read.append(one) or one for one in contents), size)
    )
    images = ingest(tmp_path)["train"]
    assert colors(images) == [0, 1, 2, 7, 8]
    assert read == [png(7), png(8)]


def test_unchanged_files_are_linked_without_reading_images(tmp_path, monkeypatch):
    files(tmp_path, train=(0, [1, 0, 1, 0]))
    ingest(tmp_path, OLD)
    monkeypatch.setattr(encoded, "decode_all", None)
    monkeypatch.setattr(encoded, "digest_content", None)
    ingest(tmp_path)
    assert (tmp_path / f"out/train.npy/{NEW}/train.npy").stat().st_nlink == 2


def test_rows_without_an_image_are_counted(tmp_path):
    rows = [png(0), {"bytes": None, "path": "x.png"}, None, b"no image", png(1)]
    write_parquet(tmp_path / "raw/train.parquet", rows, [0, 1, 1, 1, 1], NAMES)
    write_parquet(tmp_path / "raw/test.parquet", [png(5)], [0], NAMES)
    images = ingest(tmp_path, max_broken=0.6)["train"]
    assert colors(images) == [0, 1]
    assert images.labels.tolist() == [0, 1]
    assert list(images.broken.values()) == ["no image in this row"] * 2 + [
        "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected"
    ]
    assert next(iter(images.broken)) == "train/00001/x.png"


def test_only_one_row_group_is_in_memory(tmp_path):
    content = [np.random.default_rng(n).bytes(1 << 20) for n in range(64)]
    path = write_parquet(tmp_path / "raw/train.parquet", content, group=4)
    before = pa.total_allocated_bytes()
    peak = []
    for one in ParquetSource._read(None, Shard(path, "train"), [(row, 0) for row in range(64)]):
        assert one == content[len(peak)]
        peak.append(pa.total_allocated_bytes() - before)
    assert max(peak) < 24 << 20


def damaged(path):
    data = bytearray(path.read_bytes())
    data[20:200] = bytes(180)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda root: None, "does not exist"),
        (lambda root: root.mkdir(), "no .parquet files found"),
        (lambda root: write_parquet(root / "test.parquet", [png(0)]), "no images to train on found"),
        (
            lambda root: [write_parquet(root / f"{name}.parquet", [png(0)]) for name in ("train", "other")],
            "other.parquet names no split, but others do",
        ),
        (lambda root: write_parquet(root / "train.parquet", [png(0)], [2], NAMES), "row 0: label 2 found, 0 to 1"),
        (lambda root: write_parquet(root / "train.parquet", [png(0)], [0.5]), "label has the type double"),
        (lambda root: write_parquet(root / "train.parquet", [png(0)], [0], ["x", "x"]), "both named x"),
        (
            lambda root: [write_parquet(root / f"train{n}.parquet", [png(0)], [0], [f"x{n}", "y"]) for n in range(2)],
            "train1.parquet: other class names than in the first file",
        ),
        (
            lambda root: pq.write_table(pa.table({"x": [1]}), root.mkdir() or root / "train.parquet"),
            "a column image with the bytes of images expected, found x (int64)",
        ),
        (lambda root: (root.mkdir(), (root / "train.parquet").write_bytes(b"")), "cannot be read as Parquet"),
        (lambda root: (root.mkdir(), (root / "train.parquet").write_bytes(b"x" * 99)), "cannot be read as Parquet"),
    ],
)  # fmt: skip
def test_errors_are_one_line(tmp_path, write, message):
    write(tmp_path / "raw")
    with pytest.raises(UserError) as raised:
        ingest(tmp_path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_damage_of_the_images_is_an_error(tmp_path):
    damaged(write_parquet(tmp_path / "raw/train.parquet", map(png, range(9))))
    with pytest.raises((UserError, DatasetError), match=r"train.parquet cannot be read as Parquet"):
        ingest(tmp_path)
