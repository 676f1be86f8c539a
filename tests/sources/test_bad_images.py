"""Invalid images and folders are one clear error, and nothing is written."""

import os
from pathlib import Path

import pytest

from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.sources import encoded
from tests.support.bad_images import BAD_IMAGES
from tests.support.image_folders import SIDE, decode_here, ingested, labeled_folder, write_image, write_tree
from tests.support.spoiling import Spoil, both, error_of, files, folders, tree


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_image_is_named_with_its_reason(tmp_path, name):
    file, write, expected = BAD_IMAGES[name]
    root = labeled_folder(tmp_path / "raw")
    write_tree(root, ["test/a/0.png", "unlabeled/0.png"])
    write(root / "train/a" / file)
    message = error_of("folder", root, tmp_path / "out")
    assert f"train/a/{file} (" in message
    assert expected in message
    assert "1 of 9 images for train" in message


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_decode_refuses_bad_images(tmp_path, name):
    file, write, _ = BAD_IMAGES[name]
    write(tmp_path / file)
    with pytest.raises(UnreadableImage):
        decode(tmp_path / file, SIDE)


def write_broken(root: Path) -> None:
    labeled_folder(root)
    for number in range(30):
        (root / f"train/a/bad{number:02}.png").write_bytes(b"no image")


FOLDERS: dict[str, tuple[Spoil, str]] = {
    "nothing there": (lambda _: None, "raw_root RAW does not exist; set the folder of the images"),
    "a file": (lambda root: root.write_bytes(b""), "raw_root RAW is not a folder"),
    "an empty folder": (folders("."), "no images found in RAW; supported file types: .avif, .bmp, .gif"),
    "text files": (files("a.txt", "b/c.txt"), "no images found in RAW (ignored: 2 × .txt)"),
    "hidden files": (files(".a.png", "b/.c.png"), "no images found in RAW (ignored: 2 × hidden)"),
    "an empty train": (folders("train/a", "train/b"), "no images found in RAW/train; supported"),
    "test alone": (tree("test/a/0.png"), "no images found in RAW"),
    "an empty test": (both(labeled_folder, folders("test/a")), "RAW/test contains no images; add some"),
    "a Train": (tree("Train/a/0.png", "Train/b/0.png"), "RAW/Train: the folders unlabeled, train, test are lower case"),
    "an image beside the classes": (both(labeled_folder, tree("train/x.png")), "RAW/train/x.png is not in a class"),
    "a test image beside the classes": (both(labeled_folder, tree("test/x.png")), "RAW/test/x.png is not in a class"),
    "a class that train lacks": (
        both(labeled_folder, tree("test/c/x.png")),
        "RAW/test/c/x.png: train has no image of class c, it has a, b",
    ),
    "a class whose name differs in case": (both(labeled_folder, tree("test/A/x.png")), "no image of class A"),
    "classes in test alone": (tree("train/0.png", "test/a/1.png", "test/b/2.png"), "RAW/test has 2 class folders"),
    "a class that only the broken are of": (
        both(labeled_folder, files("train/c/x.png")),
        "train/c/x.png (not an image: JPEG",
    ),
    "a name with a line break": (both(labeled_folder, files("train/a/x\ny.png")), "train/a/x\\ny.png (not an image"),
    "a name of strange bytes": (both(labeled_folder, files("train/a/\udcff.png")), "train/a/\\xff.png (not an image"),
    "a broken image that is held out or not": (both(tree("0.png", "1.png"), files("2.png")), "2.png (not an image"),
    "a broken image in test": (both(labeled_folder, files("test/a/x.png")), "1 of 1 images for test"),
    "a broken image in unlabeled": (both(labeled_folder, files("unlabeled/x.png")), "1 of 1 images for unlabeled"),
    "thirty broken images": (
        write_broken,
        "cannot be read, 0 are allowed (ingest.folder.max_broken: 0): train/a/bad",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_invalid_folder_is_refused(tmp_path, name):
    spoil, expected = FOLDERS[name]
    spoil(tmp_path / "raw")
    message = error_of("folder", tmp_path / "raw", tmp_path / "out")
    assert expected.replace("RAW", str(tmp_path / "raw")) in message


def test_ingest_stops_at_ten_broken_images(tmp_path):
    write_broken(tmp_path / "raw")
    write_image(tmp_path / "raw/test/a/0.png", 99)
    message = error_of("folder", tmp_path / "raw", tmp_path / "out", max_broken=0.1)
    assert "at least 10 of 38 images for train" in message
    assert "3 are allowed (ingest.folder.max_broken: 0.1)" in message
    assert [f"bad{number:02}.png (" in message for number in range(11)] == [True] * 10 + [False]


def with_broken(root: Path, good: int, broken: int) -> Path:
    write_tree(root, ["train/0.png", "train/1.png", *(f"unlabeled/{n}.png" for n in range(good))])
    (root / "unlabeled").mkdir(exist_ok=True)
    for n in range(broken):
        (root / f"unlabeled/bad{n}.png").write_bytes(b"no image")
    return root


@pytest.mark.parametrize(("good", "part"), [(13, 0.01), (1, 0.01), (98, 0.01), (0, 1.0)])
def test_one_broken_image_is_always_skipped(tmp_path, good, part):
    root = with_broken(tmp_path / "raw", good, 1)
    images = ingested("folder", root, tmp_path / "out", max_broken=part)["unlabeled"]
    assert len(images) == good
    assert list(images.broken) == ["unlabeled/bad0.png"]


@pytest.mark.parametrize(
    ("good", "broken", "part", "found"),
    [
        (13, 1, 0, "1 of 14 images for unlabeled in RAW cannot be read, 0 are allowed (ingest.folder.max_broken: 0): "),
        (
            12,
            2,
            0.01,
            "2 of 14 images for unlabeled in RAW cannot be read, 1 is allowed (ingest.folder.max",
        ),
        (0, 1, 0.01, "1 of 1 images for unlabeled in RAW cannot be read, 0 are allowed"),
    ],
)
def test_too_many_broken_images_are_refused(tmp_path, good, broken, part, found):
    root = with_broken(tmp_path / "raw", good, broken)
    message = error_of("folder", root, tmp_path / "out", max_broken=part)
    assert found.replace("RAW", str(root)) in message


@pytest.mark.parametrize(("good", "broken", "enough"), [(71, 9, 0.12), (71, 29, 0.29), (0, 3, 1.0), (997, 3, 0.01)])
def test_suggested_max_broken_is_sufficient(tmp_path, monkeypatch, good, broken, enough):
    monkeypatch.setattr(encoded, "SHOWN", 100)
    root = with_broken(tmp_path / "raw", good, broken)
    message = error_of("folder", root, tmp_path / "out", max_broken=0.001)
    assert message.endswith(f"or skip them with --params ingest.folder.max_broken={enough:g}")
    assert len(ingested("folder", root, tmp_path / "out", max_broken=enough)["unlabeled"].broken) == broken


def test_unreadable_raw_root_is_named(tmp_path, monkeypatch):
    root = labeled_folder(tmp_path / "raw")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("byol_kedro.sources.layout.Path.iterdir", refuse)
    message = error_of("folder", root, tmp_path / "out")
    assert message == f"{root}: Permission denied; fix its permissions or choose another path"


def test_unreadable_folder_is_named(tmp_path, monkeypatch):
    root = labeled_folder(tmp_path / "raw")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("train/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("byol_kedro.sources.walk.os.scandir", refuse)
    message = error_of("folder", root, tmp_path / "out")
    assert message == f"folder {root}/train/b cannot be read: Permission denied"
