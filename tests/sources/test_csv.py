"""A table of images: the columns, splits and labels that it may have, and its errors."""

import pytest
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from byol_kedro.sources import encoded
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, colors, decode_here, ingested, labeled_folder, write_image, write_tree

LATER = "2026-01-03T00.00.00.000Z"
TRAIN = [f"train/{name}/{n}.png" for name in "ab" for n in range(4)]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)


def table(tmp_path, *lines, name="raw/images.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def ingest(tmp_path, root=None, version=NEW, **changes):
    return ingested("csv", root or tmp_path / "raw/images.csv", tmp_path / "out", version, **changes)


def test_equals_the_source_folder(tmp_path):
    root = labeled_folder(tmp_path / "raw", 6)
    names = [*(f"train/{c}/{n}.png" for c in "ab" for n in range(6)), "test/b/0.png", "unlabeled/0.png"]
    write_image(root / "test/b/0.png", 50)
    write_image(root / "unlabeled/0.png", 60)
    labels = {name: name.split("/")[1] if name[:2] != "un" else "" for name in names}
    table(tmp_path, "path,label,split", *(f"{name},{labels[name]},{name.split('/')[0]}" for name in names))
    expected = ingested("folder", root, tmp_path / "other")
    found = ingest(tmp_path)
    for split in SPLITS:
        assert found[split].fingerprint == expected[split].fingerprint
        assert found[split].names == expected[split].names
        assert found[split].class_names == expected[split].class_names


def test_held_out_images_are_those_of_the_source_folder(tmp_path):
    root = labeled_folder(tmp_path / "raw", 8)
    names = [f"train/{c}/{n}.png" for c in "ab" for n in range(8)]
    table(tmp_path, "path,label", *(f"{name},{name[6]}" for name in names))
    expected = ingested("folder", root, tmp_path / "other")
    found = ingest(tmp_path)
    assert {split: found[split].names for split in SPLITS} == {split: expected[split].names for split in SPLITS}
    assert found["test"].held_out


def test_a_path_is_relative_to_the_table_or_absolute(tmp_path):
    write_image(tmp_path / "elsewhere/x.png", 1)
    write_image(tmp_path / "raw/deep/y.png", 2)
    write_image(tmp_path / "raw/z.png", 3)
    table(tmp_path, "path,split", f"{tmp_path}/elsewhere/x.png,train", "./deep//y.png,train", "z.png,test")
    images = ingest(tmp_path, tmp_path / "raw")
    assert colors(images["train"]) == [1, 2]
    assert images["train"].names == [f"{tmp_path}/elsewhere/x.png", "deep/y.png"]
    assert colors(images["test"]) == [3]


@pytest.mark.parametrize(
    ("header", "join"),
    [("path,label", ","), ("label;file_name", ";"), ("\ufeffPath\tother\tLabel", "\t"), ('"filename", "class"', ",")],
)
def test_columns_and_delimiters(tmp_path, header, join):
    write_tree(tmp_path / "raw", TRAIN)
    order = [name.strip('\ufeff" ').lower() for name in header.split(join)]
    fields = {"path": 0, "file_name": 0, "filename": 0, "label": 1, "class": 1, "other": 2}
    rows = [(name, name[6], "x") for name in TRAIN]
    table(tmp_path, header, *(join.join(row[fields[column]] for column in order) for row in rows))
    images = ingest(tmp_path)
    assert len(images["train"]) + len(images["test"]) == 8
    assert images["train"].class_names == ["a", "b"]


def test_numbers_are_sorted_by_value(tmp_path):
    write_tree(tmp_path / "raw", [f"{n}.png" for n in range(4)])
    table(tmp_path, "path,label,split", "0.png,10,train", "1.png,9,train", "2.png,9,train", "3.png,10,test")
    images = ingest(tmp_path)
    assert images["train"].class_names == ["9", "10"]
    assert images["train"].labels.tolist() == [1, 0, 0]
    assert images["test"].labels.tolist() == [1]


def test_images_of_train_without_a_label_are_unlabeled(tmp_path, caplog):
    caplog.set_level("INFO")
    write_tree(tmp_path / "raw", [f"{n}.png" for n in range(5)])
    table(tmp_path, "path,label,split", "0.png,a,", "1.png,,", "2.png,b,", "3.png,,unlabeled", "4.png,a,test")
    images = ingest(tmp_path)
    assert colors(images["train"]) == [0, 2]
    assert colors(images["unlabeled"]) == [3, 1]
    assert "1 of 3 images of train have no label" in caplog.text


def test_without_labels(tmp_path, caplog):
    caplog.set_level("INFO")
    write_tree(tmp_path / "raw", [f"{n}.png" for n in range(8)])
    table(tmp_path, "path", *(f"{n}.png" for n in range(8)))
    images = ingest(tmp_path)
    assert [len(images[split]) for split in SPLITS] == [0, 6, 2]
    assert images["train"].class_names == []
    assert "results that need labels are skipped" in caplog.text


@pytest.mark.parametrize(("others", "count"), [((), 1), (("2.png,a,test", "3.png,b,test"), 2)])
def test_validation_is_test_if_there_is_no_other(tmp_path, others, count):
    write_tree(tmp_path / "raw", [f"{n}.png" for n in range(5)])
    table(tmp_path, "path,label,split", "0.png,a,train", "1.png,b,train", "4.png,a,val", *others)
    assert len(ingest(tmp_path)["test"]) == count


def test_only_changed_images_are_decoded_again(tmp_path, monkeypatch):
    write_tree(tmp_path / "raw", TRAIN)
    table(tmp_path, "path,label,split", *(f"{name},{name[6]},train" for name in TRAIN), f"{TRAIN[0]}x,b,test")
    write_image(tmp_path / f"raw/{TRAIN[0]}x", 9)
    ingest(tmp_path, version=OLD)
    write_image(tmp_path / "raw" / TRAIN[2], 99)
    read = []
    monkeypatch.setattr(
        encoded, "decode_all", lambda paths, size: decode_here((read.append(path) or path for path in paths), size)
    )
    images = ingest(tmp_path)
    assert [path.name for path in read] == ["2.png"]
    assert colors(images["train"]) == [0, 1, 99, 3, 4, 5, 6, 7]


def test_changed_labels_are_noticed(tmp_path):
    write_tree(tmp_path / "raw", TRAIN)
    rows = [(name, name[6], "train") for name in TRAIN[:-1]] + [(TRAIN[-1], "a", "test")]
    table(tmp_path, "path,label,split", *map(",".join, rows))
    ingest(tmp_path, version=OLD)
    rows[0] = (TRAIN[0], "b", "train")
    table(tmp_path, "path,label,split", *map(",".join, rows))
    assert ingest(tmp_path)["train"].labels.tolist() == [1, 0, 0, 0, 1, 1, 1]


def test_missing_and_broken_images_are_counted(tmp_path):
    write_tree(tmp_path / "raw", TRAIN)
    (tmp_path / "raw/bad.png").write_bytes(b"no image")
    lines = [f"{name},{name[6]},train" for name in TRAIN]
    table(tmp_path, "path,label,split", "gone.png,a,train", "bad.png,b,train", *lines, f"{TRAIN[0]}x,b,test")
    write_image(tmp_path / f"raw/{TRAIN[0]}x", 9)
    images = ingest(tmp_path, max_broken=0.2)
    assert colors(images["train"]) == list(range(8))
    assert images["train"].broken == {
        "gone.png": "No such file or directory",
        "bad.png": "not an image: JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF expected",
    }
    with pytest.raises(DatasetError, match=r"2 of 10 images for train .* cannot be read"):
        ingest(tmp_path, version=LATER)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "the column path is missing in the first line, found nothing"),
        (("a.png,b",), "the column path is missing in the first line, found a.png, b"),
        (("path,label", "a.png"), "line 2: 1 fields found, 2 expected"),
        (("path,label", "a.png,b,c"), "line 2: 3 fields found, 2 expected"),
        (("path,split", "a.png,trial"), "line 2: split 'trial' found, train, test, validation or unlabeled expected"),
        (("path", "a.png", "b.png", "./a.png"), "line 4: a.png is also in line 2"),
        (("path,label", ",cat"), "line 2: the path is empty"),
        (("path", "a\0b"), "line 2: the path has a null character"),
        (("path", '"a'), "line 2: unexpected end of data"),
        (("path", "", ""), "no images to train on found"),
        (("path,split", "a.png,test"), "no images to train on found"),
        (("path,label,split", "a.png,1,train", "b.png,2,", "c.png,3,test"), "train has no image of class 3"),
        (("path,label,split", "a.png,1,train", "b.png,2,", "c.png,,test"), "c.png, an image of test, has no label"),
        (("path,label,split", "a.png,,train", "b.png,1,test", "c.png,2,test"), "test have 2 classes, those of train 0"),
    ],
)  # fmt: skip
def test_errors_are_one_line(tmp_path, lines, message):
    path = table(tmp_path, *lines)
    with pytest.raises(UserError) as raised:
        ingest(tmp_path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_other_encodings_are_refused(tmp_path):
    path = table(tmp_path)
    path.write_bytes("path\nö.png\n".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8 text"):
        ingest(tmp_path)


@pytest.mark.parametrize(
    ("names", "root", "message"),
    [
        ((), "raw", "does not exist"),
        (("raw/x.txt",), "raw/x.txt", "is not a table"),
        (("raw/x.txt",), "raw", "has no .csv file, one expected"),
        (("raw/a.csv", "raw/b.tsv"), "raw", r"has 2 tables \(a.csv, b.tsv\), one expected"),
    ],
)
def test_the_table_has_to_be_clear(tmp_path, names, root, message):
    for name in names:
        table(tmp_path, "path", name=name)
    with pytest.raises(UserError, match=message):
        ingest(tmp_path, tmp_path / root)


def test_outputs_of_runs_are_refused(tmp_path):
    (tmp_path / "data/08_reporting/run_manifest.json").mkdir(parents=True)
    write_image(tmp_path / "data/02_intermediate/x.png")
    table(tmp_path, "path", "../data/02_intermediate/x.png")
    with pytest.raises(UserError, match=r"line 2: .* is an output of runs"):
        ingest(tmp_path)
