"""Tar files: samples, labels and splits, reading again, and errors."""

import json
import tarfile

import pytest

from byol_kedro.errors import UserError
from byol_kedro.sources import encoded
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, colors, decode_here, ingested, labeled_folder, write_image
from tests.support.shard_files import png, write_tar


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)


def ingest(tmp_path, version=NEW, root="raw", **changes):
    return ingested("webdataset", tmp_path / root, tmp_path / "out", version, **changes)


def samples(first, labels):
    """The files of some images whose colors begin at `first`."""
    for number, label in enumerate(labels, first):
        yield f"{number:04}.cls", str(label).encode()
        yield f"{number:04}.png", png(number)


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz")])
def test_equals_the_source_folder(tmp_path, suffix, mode):
    root = labeled_folder(tmp_path / "folder", 6)
    write_image(root / "test/b/0.png", 50)
    expected = ingested("folder", root, tmp_path / "other")
    files = [(f"{c}/{n}.{kind}", c, n, kind) for c in "ab" for n in range(6) for kind in ("png", "cls")]
    contents = [
        (name, (root / f"train/{c}/{n}.png").read_bytes() if kind == "png" else c.encode())
        for name, c, n, kind in files
    ]
    write_tar(tmp_path / f"raw/train-0{suffix}", contents[:6], mode)
    write_tar(tmp_path / f"raw/train-1{suffix}", contents[6:], mode)
    test = {"x.png": (root / "test/b/0.png").read_bytes(), "x.cls": b"b"}
    write_tar(tmp_path / f"raw/test-0{suffix}", test, mode)
    found = ingest(tmp_path)
    for split in SPLITS:
        assert found[split].fingerprint == expected[split].fingerprint
        assert found[split].class_names == expected[split].class_names
    assert found["train"].names[:4] == ["train-0/a/0", "train-0/a/1", "train-0/a/2", "train-1/a/3"]


def test_held_out_images_are_those_of_the_source_folder(tmp_path):
    root = labeled_folder(tmp_path / "folder", 8)
    expected = ingested("folder", root, tmp_path / "other")
    contents = {f"{c}{n}": ((root / f"train/{c}/{n}.png").read_bytes(), c) for c in "ab" for n in range(8)}
    write_tar(
        tmp_path / "raw/x.tar",
        [file for key, (image, c) in contents.items() for file in ((f"{key}.png", image), (f"{key}.cls", c.encode()))],
    )
    found = ingest(tmp_path)
    assert [found[split].fingerprint for split in SPLITS] == [expected[split].fingerprint for split in SPLITS]


def test_class_names(tmp_path):
    write_tar(tmp_path / "raw/train/0.tar", samples(0, [1, 0, 1]))
    write_tar(tmp_path / "raw/val/0.tar", samples(50, [2]))
    write_tar(tmp_path / "raw/unlabeled/0.tar", samples(60, [-1, ""]))
    images = ingest(tmp_path, OLD, root="raw/train/0.tar")
    assert images["train"].class_names == ["0", "1"]
    (tmp_path / "raw/class_names.txt").write_text("dog\ncat\nbird\n")
    with pytest.raises(UserError, match="train has no image of class bird, it has cat, dog"):
        ingest(tmp_path)
    write_tar(tmp_path / "raw/val/0.tar", samples(50, [1]))
    images = ingest(tmp_path)
    assert images["train"].class_names == ["dog", "cat", "bird"]
    assert images["train"].labels.tolist() == [1, 0, 1]
    assert images["test"].labels.tolist() == [1]
    assert colors(images["unlabeled"]) == [60, 61]


def test_samples(tmp_path):
    """A sample has a label in JSON, several images, a suffix with dots, capitals, or no image at all."""
    files = {
        "./a/1.json": json.dumps({"label": "x", "caption": "ö"}).encode(),
        "./a/1.JPG": png(1), "./a/1.mask.png": png(9),
        "a/2.seg.png": png(2), "a/2.json": b'{"label": "y"}',
        "3.txt": b"no image", "3.cls": b"z",
        "4.png": png(4), "4.json": b'{"label": 7}', "4.cls": b"x\n",
        "README": b"no sample", ".hidden": b"",
    }  # fmt: skip
    write_tar(tmp_path / "raw/train.tar", files)
    write_tar(tmp_path / "raw/test.tar", {"1.png": png(5), "1.json": b'{"label": "y"}'})
    images = ingest(tmp_path)
    assert colors(images["train"]) == [1, 2, 4]
    assert images["train"].names == ["train/a/1", "train/a/2", "train/4"]
    assert images["train"].class_names == ["x", "y"]
    assert images["train"].labels.tolist() == [0, 1, 0]


def test_long_names(tmp_path):
    names = [f"{'é' * 150}/{n}" for n in range(3)]
    write_tar(tmp_path / "raw/train.tar", {f"{name}.png": png(n) for n, name in enumerate(names)})
    images = ingest(tmp_path)
    assert sorted([*images["train"].names, *images["test"].names]) == [f"train/{name}" for name in names]


def test_links_in_a_tar_file_are_not_followed(tmp_path):
    path = write_tar(tmp_path / "raw/train.tar", {"1.png": png(1), "2.png": png(2)})
    with tarfile.open(path, "a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo(f"x{kind!r}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    images = ingest(tmp_path)
    assert sorted([*colors(images["train"]), *colors(images["test"])]) == [1, 2]


def test_only_images_of_changed_shards_are_decoded_again(tmp_path, monkeypatch):
    write_tar(tmp_path / "raw/train-0.tar", samples(0, [1, 0, 1]))
    write_tar(tmp_path / "raw/test-0.tar", samples(50, [1]))
    ingest(tmp_path, OLD)
    write_tar(tmp_path / "raw/train-1.tar", samples(10, [0]))
    read = []
    monkeypatch.setattr(
        encoded, "decode_all", lambda contents, size: decode_here((read.append(one) or one for one in contents), size)
    )
    assert colors(ingest(tmp_path)["train"]) == [0, 1, 2, 10]
    assert read == [png(10)]


def test_broken_images_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("byol_kedro.sources.webdataset.MAX_IMAGE", 1000)
    files = [*samples(0, [0, 1, 0]), ("8.png", b""), ("8.cls", b"0"), ("9.png", bytes(1001)), ("9.cls", b"1")]
    write_tar(tmp_path / "raw/train.tar", files)
    write_tar(tmp_path / "raw/test.tar", samples(50, [1]))
    images = ingest(tmp_path, max_broken=0.5)["train"]
    assert colors(images) == [0, 1, 2]
    assert images.broken == {"train/8": "the file is empty", "train/9": "1,001 bytes, at most 1,000 are read"}


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def giant_header(path):
    """An extended header that claims 1 GB, in a sparse file."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    path.parent.mkdir()
    path.write_bytes(info.tobuf())
    with path.open("ab") as file:
        file.truncate((1 << 30) + 5000)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.parent.mkdir(), "no .tar or .tar.gz or .tgz files found"),
        (lambda path: write_tar(path, {"a.txt": b""}), "no images to train on found"),
        (lambda path: cut(write_tar(path, samples(0, [0])), 0.01), "is truncated or not a tar file"),
        (lambda path: cut(write_tar(path, {"1.png": bytes(99_999)}), 0.5), "is truncated or not a tar file"),
        (lambda path: (path.parent.mkdir(), path.write_bytes(b"x" * 2000)), "is truncated or not a tar file"),
        (giant_header, "a header of 1,073,741,824 bytes"),
        (lambda path: write_tar(path, [*samples(0, [0, 1]), *samples(0, [0])]), "has two images named 0000"),
        (lambda path: write_tar(path, {"1.png": png(0), "1.cls": b"\xff"}), "1.cls is not UTF-8 (byte 0)"),
        (lambda path: write_tar(path, {"1.png": png(0), "1.json": b"{"}), "1.json is not JSON"),
        (lambda path: write_tar(path, {"1.png": png(0), "1.json": b"[" * 99_999}), "1.json is not JSON"),
        (lambda path: write_tar(path, {"1.png": png(0), "1.json": b'{"label": [1]}'}), "a number or a name expected"),
        (lambda path: write_tar(path, {"1.png": png(0), "1.cls": bytes(1 << 21)}), "at most 1,048,576 are read"),
        (
            lambda path: (write_tar(path, samples(0, [2])), (path.parent / "class_names.txt").write_text("a\nb\n")),
            "0000: label 2 found, 0 to 1 expected, since class_names.txt has 2 names",
        ),
    ],
)  # fmt: skip
def test_errors_are_one_line(tmp_path, write, message):
    write(tmp_path / "raw/train.tar")
    with pytest.raises(UserError) as raised:
        ingest(tmp_path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
