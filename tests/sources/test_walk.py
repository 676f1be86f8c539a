"""Unusual names, deep folders and long paths."""

import logging
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.errors import UserError
from byol_kedro.sources import encoded as module
from byol_kedro.sources.walk import MAX_PATH_SHOWN, ignored_text, printable, walk
from tests.support.image_folders import colors, decode_here, ingested, labeled_folder, write_image
from tests.support.spoiling import error_of

ODD = [b"a\nb", b"\xff\xfe", b"\x1b[31mred", b"a\\b", b"[x]", b"s*r", b"q?", b" lead ", b"{x}", b"%s", b"c #d", b"-x"]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(module, "decode_all", decode_here)


@given(st.binary(min_size=1, max_size=6), st.binary(min_size=1, max_size=6))
def test_different_names_stay_different_when_escaped(one, two):
    names = {os.fsdecode(one), os.fsdecode(two)}
    assert len(set(map(printable, names))) == len(names)
    assert all(printable(name).isprintable() for name in names)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (b"\xff", rb"\xff"),  # a byte, and the letters that it is written as
        (b"a\nb", rb"a\nb"),
        (b"\x85", "\x85".encode()),  # a byte that is no UTF-8, and a letter of that number
        (b"\xa0", "\xa0".encode()),
        ("\u200b".encode(), rb"\u200b"),
    ],
)
def test_images_with_similar_names_are_distinct(tmp_path, one, two):
    for color, name in enumerate((one, two)):
        write_image(tmp_path / "raw/train" / os.fsdecode(name) / "x.png", color)
        write_image(tmp_path / "raw/test" / os.fsdecode(name) / "x.png", 10 + color)
    images = ingested("folder", tmp_path / "raw", tmp_path / "out")
    assert len(set(images["train"].class_names)) == 2
    for split in ("train", "test"):
        assert len(set(images[split].names)) == 2
    train, test = (dict(zip(images[s].labels.tolist(), colors(images[s]), strict=True)) for s in ("train", "test"))
    assert {label: color + 10 for label, color in train.items()} == test


def test_broken_images_with_similar_names_are_listed(tmp_path):
    root = labeled_folder(tmp_path / "raw")
    write_image(root / "test/a/0.png")
    for name in (b"\xff.png", rb"\xff.png"):
        (root / "train/a" / os.fsdecode(name)).write_bytes(b"no image")
    broken = ingested("folder", root, tmp_path / "out", max_broken=0.5)["train"].broken
    assert sorted(broken) == [r"train/a/\\xff.png", r"train/a/\xff.png"]


def deepen(root: Path, count: int) -> None:
    """Create an image nested in many folders, whose path may be too long for one call."""
    here = Path.cwd()
    try:
        os.chdir(root)
        for _ in range(count):
            Path("d").mkdir()
            os.chdir("d")
        write_image(Path("x.png"), 7)
    finally:
        os.chdir(here)


@pytest.fixture
def deep(tmp_path):
    yield tmp_path
    # What lies deeper than a path may be long is brought up, piece by piece.
    while (tmp_path / "raw" / ("d/" * 900)).is_dir():
        (tmp_path / "raw" / ("d/" * 900) / "d").rename(tmp_path / "rest")
        _remove(tmp_path / "raw")
        (tmp_path / "rest").rename(tmp_path / "raw")
    _remove(tmp_path / "raw")


def _remove(folder: Path) -> None:
    """Remove nested folders; `shutil.rmtree` is recursive."""
    folders = [folder]
    while (below := folders[-1] / "d").is_dir():
        folders.append(below)
    for one in reversed(folders):
        for path in one.iterdir():
            path.unlink()
        one.rmdir()


def test_deeply_nested_folder_is_read(deep):
    (deep / "raw").mkdir()
    deepen(deep / "raw", 1500)
    for color in (8, 9):
        write_image(deep / f"raw/{color}.png", color)
    images = ingested("folder", deep / "raw", deep / "out")
    assert sorted(colors(images["train"]) + colors(images["test"])) == [7, 8, 9]
    assert "d/" * 1500 + "x.png" in images["train"].names + images["test"].names


def test_too_long_path_is_an_error(deep):
    (deep / "raw").mkdir()
    deepen(deep / "raw", 2200)
    message = error_of("folder", deep / "raw", deep / "out")
    assert message.startswith(f"folder {deep}/raw/d/d")
    assert message.endswith("/d/d cannot be read: File name too long")
    assert len(message) < MAX_PATH_SHOWN + 60


@pytest.mark.parametrize("name", ODD)
def test_raw_root_of_any_name_is_read(tmp_path, caplog, name):
    root = labeled_folder(tmp_path / os.fsdecode(name))
    (root / "notes.md").write_text("")
    (root / "train/empty").mkdir()
    with caplog.at_level(logging.INFO):
        assert len(ingested("folder", root, tmp_path / "out")["train"]) == 6
    assert all(line.isprintable() for line in caplog.messages)
    (root / "train/a/x.png").write_bytes(b"no image")
    message = error_of("folder", root, tmp_path / "other")
    assert message.isprintable()
    shutil.rmtree(root)
    assert error_of("folder", root, tmp_path / "other").isprintable()
    root.write_text("")
    for source in ("folder", "array", "stl10", "cifar10"):
        assert error_of(source, root, tmp_path / "other").isprintable()


@pytest.mark.parametrize("split", ["unlabeled", "train", "test"])
@pytest.mark.parametrize("state", ["is", "is a link to nowhere, which is"])
def test_split_that_is_not_a_folder_is_refused(tmp_path, split, state):
    """For example a link to an unavailable network folder: without test, a part of train would be held out."""
    root = labeled_folder(tmp_path / "raw")
    write_image(root / "test/a/0.png")
    (root / split).rename(tmp_path / "aside") if (root / split).exists() else None
    (root / split).write_text("") if state == "is" else (root / split).symlink_to("nowhere")
    assert f"{root}/{split} {state} not a folder" in error_of("folder", root, tmp_path / "out")


def test_broken_link_has_no_state(tmp_path):
    (tmp_path / "x.png").symlink_to("nowhere")
    (file,) = walk(tmp_path, Counter())
    assert (file.name, file.state, file.unreadable) == ("x.png", "", "No such file or directory")


def test_broken_links_without_suffix_are_counted(tmp_path):
    """It may be a link to an unavailable network folder."""
    (tmp_path / "2024").symlink_to("nowhere")
    (tmp_path / "notes.txt").symlink_to("nowhere")
    ignored = Counter()
    assert list(walk(tmp_path, ignored)) == []
    assert ignored == {"broken links": 2}
    assert ignored_text(ignored) == "2 files of other types ignored: broken links 2"


def test_user_errors_are_one_printable_line():
    assert str(UserError("a\nb\x1b[31m\udcff \x85 é 日本 \\ ü")) == r"a\nb\x1b[31m\xff \u0085 é 日本 \ ü"
