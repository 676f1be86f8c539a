"""Pixels of the last version are not reused for another file of the same name, size and time."""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from byol_kedro.files import user_files
from byol_kedro.sources import encoded, photos
from byol_kedro.sources import stl10 as stl10_module
from byol_kedro.sources.cifar10 import BATCHES, CIFAR10
from byol_kedro.sources.photos import Photograph
from tests.support.image_datasets import NEW, OLD, random_pixels, write_stl10
from tests.support.image_folders import SIDE, SPLITS, colors, decode_here, ingested
from tests.support.written_sources import write_npy

DATE = (10**18, 10**18)  # nanoseconds, of every file as of those that came in one archive


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)


def write_bmp(path: Path, color: int) -> Path:
    """Write an image; all files have the same size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (SIDE, SIDE), (color % 256, color // 256, 0)).save(path, format="BMP")
    os.utime(path, ns=DATE)
    return path


def images(root: Path, seed: int) -> None:
    for number, name in enumerate(f"{split}/{label}/{n}.bmp" for split in SPLITS for label in "ab" for n in range(3)):
        write_bmp(root / name, 100 * seed + number)


def arrays(root: Path, seed: int) -> None:
    pixels = {split: random_pixels(8, SIDE, 10 * seed + n) for n, split in enumerate(SPLITS)}
    labels = {f"{split}_labels": (np.arange(8) + seed) % 2 for split in ("train", "test")}
    write_npy(root, **pixels, **labels)


def archive_of_arrays(root: Path, seed: int) -> None:
    arrays(root / "single", seed)
    np.savez(root / "all.npz", **{path.stem: np.load(path) for path in (root / "single").iterdir()})
    shutil.rmtree(root / "single")


def stl10(root: Path, seed: int) -> None:
    write_stl10(root, side=SIDE)
    for n, split in enumerate(SPLITS):
        random_pixels(20, SIDE, 10 * seed + n).tofile(root / f"stl10_binary/{split}_X.bin")


def cifar10(root: Path, seed: int) -> None:
    (root / CIFAR10.folder).mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for name in (*BATCHES["train"], *BATCHES["test"]):
        rows = np.c_[generator.integers(0, 10, 4, np.uint8), generator.integers(0, 256, (4, 3072), np.uint8)]
        rows.astype(np.uint8).tofile(root / CIFAR10.folder / f"{name}.bin")


WRITERS: dict[str, tuple[str, Callable[[Path, int], None], str]] = {
    "folder": ("folder", images, "."),
    "array": ("array", arrays, "."),
    "npz": ("array", archive_of_arrays, "all.npz"),
    "stl10": ("stl10", stl10, "."),
    "cifar10": ("cifar10", cifar10, "."),
}


def pairs_of_files(one: Path, two: Path) -> list[tuple[Path, Path]]:
    return [(one / path.relative_to(two), path) for path in sorted(two.rglob("*")) if path.is_file()]


def other_root(one: Path, two: Path) -> Path:
    return two


def folders_change_places(one: Path, two: Path) -> Path:
    one.rename(one.with_name("aside"))
    return two.rename(one)


def files_are_moved_over(one: Path, two: Path) -> Path:
    for here, there in pairs_of_files(one, two):
        there.rename(here)
    return one


def written_in_place(one: Path, two: Path) -> Path:
    for here, there in pairs_of_files(one, two):
        with here.open("r+b") as file:
            file.write(there.read_bytes())
        os.utime(here, ns=DATE)
    return one


def copied_with_their_times(one: Path, two: Path) -> Path:
    for here, there in pairs_of_files(one, two):
        shutil.copy2(there, here)
    return one


def linked(one: Path, two: Path) -> Path:
    for here, there in pairs_of_files(one, two):
        here.unlink()
        here.hardlink_to(there)
    return one


def unpacked_over(one: Path, two: Path) -> Path:
    with tarfile.open(two.with_suffix(".tar"), "w") as tar:
        tar.add(two, ".")
    with tarfile.open(two.with_suffix(".tar")) as tar:
        tar.extractall(one, filter="tar")
    return one


def made_links_to(one: Path, two: Path) -> Path:
    for here, there in pairs_of_files(one, two):
        here.unlink()
        here.symlink_to(there)
    return one


CHANGES = [
    other_root, folders_change_places, files_are_moved_over, written_in_place, copied_with_their_times, linked,
    unpacked_over, made_links_to,
]  # fmt: skip


def side_of(source: str) -> int:
    return 32 if source == "cifar10" else SIDE


def two_roots(tmp_path: Path, write: Callable[[Path, int], None]) -> tuple[Path, Path]:
    """Two folders whose files have equal names, sizes and times, but different contents."""
    one, two = tmp_path / "one", tmp_path / "two"
    for seed, root in enumerate((one, two)):
        root.mkdir()
        write(root, seed)
        for path in root.rglob("*"):
            os.utime(path, ns=DATE)
    for here, there in pairs_of_files(one, two):
        assert (here.stat().st_size, here.stat().st_mtime_ns) == (there.stat().st_size, there.stat().st_mtime_ns)
    return one, two


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", WRITERS)
def test_stale_pixels_are_not_reused(tmp_path, name, change):
    source, write, inside = WRITERS[name]
    one, two = two_roots(tmp_path, write)
    old = ingested(source, one / inside, tmp_path / "out", OLD, image_size=side_of(source))
    root = change(one, two)
    new = ingested(source, root / inside, tmp_path / "out", NEW, image_size=side_of(source))
    right = ingested(source, root / inside, tmp_path / "right", NEW, image_size=side_of(source))
    for split in SPLITS:
        assert new[split].fingerprint == right[split].fingerprint
        assert new[split].fingerprint != old[split].fingerprint or not len(old[split])


@pytest.mark.parametrize("name", WRITERS)
def test_changed_root_link_is_read_again(tmp_path, name):
    source, write, inside = WRITERS[name]
    one, two = two_roots(tmp_path, write)
    link = tmp_path / "link"
    link.symlink_to(one)
    ingested(source, link / inside, tmp_path / "out", OLD, image_size=side_of(source))
    link.unlink()
    link.symlink_to(two)
    new = ingested(source, link / inside, tmp_path / "out", NEW, image_size=side_of(source))
    right = ingested(source, two / inside, tmp_path / "right", NEW, image_size=side_of(source))
    assert [new[split].fingerprint for split in SPLITS] == [right[split].fingerprint for split in SPLITS]


def test_changed_class_link_is_read_again(tmp_path):
    one, two = two_roots(tmp_path, images)
    (one / "train/c").symlink_to(one / "unlabeled/a")
    ingested("folder", one, tmp_path / "out", OLD)
    (one / "train/c").unlink()
    (one / "train/c").symlink_to(two / "unlabeled/a")
    assert colors(ingested("folder", one, tmp_path / "out", NEW)["train"])[-3:] == [100, 101, 102]


def test_renumbered_files_keep_their_pixels(tmp_path):
    for number in range(60):
        write_bmp(tmp_path / f"raw/train/{'ab'[number % 2]}/{number // 2:02}.bmp", number)
    write_bmp(tmp_path / "raw/test/a/0.bmp", 99)
    ingested("folder", tmp_path / "raw", tmp_path / "out", OLD)
    for label in "ab":
        files = sorted((tmp_path / f"raw/train/{label}").iterdir())
        files[4].unlink()
        for before, after in zip(files[5:], files[4:], strict=False):
            before.rename(after)
    again = ingested("folder", tmp_path / "raw", tmp_path / "out", NEW)["train"]
    assert colors(again) == [n for start in (0, 1) for n in range(start, 60, 2) if n // 2 != 4]


def test_swapped_files_swap_pixels(tmp_path):
    one, _ = two_roots(tmp_path, images)
    before = colors(ingested("folder", one, tmp_path / "out", OLD)["train"])
    (one / "train/a/0.bmp").rename(one / "aside")
    (one / "train/a/1.bmp").rename(one / "train/a/0.bmp")
    (one / "aside").rename(one / "train/a/1.bmp")
    after = colors(ingested("folder", one, tmp_path / "out", NEW)["train"])
    assert after == [before[1], before[0], *before[2:]]


def test_photographs_of_another_installation_are_read(tmp_path, monkeypatch):
    for seed in (0, 1):
        generator = np.random.default_rng(seed)
        image = Image.fromarray(generator.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        (tmp_path / str(seed)).mkdir()
        image.save(tmp_path / f"{seed}/x.bmp")
    few = {"unlabeled": 1, "train": 1, "test": 1}
    prints = []
    for version, place in ((OLD, "0"), (NEW, "1")):
        monkeypatch.setattr(photos, "PHOTOGRAPHS", {"x": Photograph(str(tmp_path / place), "x.bmp")})
        prints.append(ingested("photos", tmp_path, tmp_path / "out", version, photos=few)["train"].fingerprint)
    assert prints[0] != prints[1]


def test_labels_changed_during_ingest_are_read_next_time(tmp_path, monkeypatch):
    """The stamp of a file is taken before it is read."""
    stl10(tmp_path / "raw", 0)
    path = tmp_path / "raw/stl10_binary/train_y.bin"
    labels = np.fromfile(path, np.uint8)

    def read(file):
        found = real(file)
        labels[::-1].tofile(path)
        return found

    real = stl10_module._read_labels
    monkeypatch.setattr(stl10_module, "_read_labels", read)
    ingested("stl10", tmp_path / "raw", tmp_path / "out", OLD)
    monkeypatch.undo()
    again = ingested("stl10", tmp_path / "raw", tmp_path / "out", NEW)["train"]
    assert again.labels.tolist() == (labels[::-1].astype(int) - 1).tolist()


def notices_memory_maps(path: Path) -> bool:
    """Return whether writes through a memory map change `ctime` on this file system."""
    np.save(path, np.zeros(10))
    mapped, times = np.load(path, mmap_mode="r+"), []
    for number in range(2):
        mapped[number] = 1
        times.append(path.stat().st_ctime_ns)
        os.sync()
    return times[0] != times[1]


def test_array_changed_through_a_memory_map_is_read_again(tmp_path):
    if not notices_memory_maps(tmp_path / "probe.npy"):
        pytest.skip("this file system, as one in memory, does not notice what a memory map writes")
    arrays(tmp_path / "raw", 0)
    mapped = np.load(tmp_path / "raw/train.npy", mmap_mode="r+")
    mapped[0] = 1  # the pages are not on the disk yet
    ingested("array", tmp_path / "raw", tmp_path / "out", OLD)
    mapped[1] = 2
    again = ingested("array", tmp_path / "raw", tmp_path / "out", NEW)["train"]
    assert np.unique(again.pixels[1]).tolist() == [2]


@pytest.fixture
def coarse(monkeypatch):
    """A file system without reliable metadata."""
    monkeypatch.setattr(user_files, "COARSE", 1)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.usefixtures("coarse")
def test_contents_are_compared_with_coarse_times(tmp_path, name):
    source, write, inside = WRITERS[name]
    one, two = two_roots(tmp_path, write)
    side = side_of(source)
    first = ingested(source, one / inside, tmp_path / "out", OLD, image_size=side)
    files_are_moved_over(one, two)
    second = ingested(source, one / inside, tmp_path / "out", NEW, image_size=side)
    assert second["train"].fingerprint != first["train"].fingerprint
    third = "2026-01-03T00.00.00.000Z"
    ingested(source, one / inside, tmp_path / "out", third, image_size=side)
    assert (tmp_path / f"out/train.npy/{third}/train.npy").stat().st_nlink == 2


def status(**changes: int) -> Any:
    """The status of a file with a precise ctime."""
    fields = {"st_ctime_ns": 10**18 + 123, "st_mtime_ns": 10**18, "st_dev": 1, "st_ino": 2, "st_size": 3}
    return SimpleNamespace(**fields | changes)


@pytest.mark.parametrize("name", ["st_ctime_ns", "st_mtime_ns", "st_dev", "st_ino", "st_size"])
def test_state_covers_all_metadata(name):
    assert user_files.state_of(status(**{name: getattr(status(), name) + 7})) != user_files.state_of(status())


@pytest.mark.parametrize("ctime", [10**18, 10**18 + 2 * 10**9, 10**18 + 530_000_000])
def test_coarse_times_give_no_state(ctime):
    """As of FAT, squashfs, sshfs (seconds) and exFAT (hundredths of a second)."""
    assert not user_files.state_of(status(st_ctime_ns=ctime))
