"""Small data for the tests of the datasets."""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import Version

from byol_kedro.datasets.images import ImagesDataset
from byol_kedro.files.archives import Archive, Member
from byol_kedro.parameters import Ingest
from byol_kedro.sources.source import ImageStream, Index, Source

PHOTOS = {"unlabeled": 0, "train": 1, "test": 1}


def ingest_parameters(image_size: int, max_broken: float = 0.0, **changes: Any) -> Ingest:
    """No broken files are allowed and a quarter is held out; `changes` replace fields."""
    given = {"image_size": image_size, "test_fraction": 0.25, "folder": {"max_broken": max_broken}, "photos": PHOTOS}
    return Ingest.model_validate(given | changes)


OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


def at(version: str) -> Version:
    return Version(None, version)


def random_pixels(count: int, side: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


class MadeSource(Source):
    """Given images, in batches of two. `changes` replace parts of the index, the class names, the origin or methods."""

    name = "made"

    def __init__(self, pixels: np.ndarray, changes: dict[str, Any]) -> None:
        count, _, side, _ = pixels.shape
        super().__init__(Path(), ingest_parameters(8).model_copy(update={"image_size": side}), 0)
        self._pixels = pixels
        self.class_names = changes.pop("class_names", [f"class {i}" for i in range(count)])
        self._origin = changes.pop("origin", {"made": 1})
        self._folds = changes.pop("folds", [])
        self._index = {"labels": np.arange(count, dtype=np.int64), "names": [f"train/{i}" for i in range(count)]}
        self._index |= {name: changes.pop(name) for name in ("labels", "names", "keys") if name in changes}
        self._batches = changes.pop("batches", None)
        assert not changes, changes

    def origin(self, split: str) -> dict[str, Any]:
        return self._origin

    def index(self, split: str) -> Index:
        return Index(**self._index)

    def batches(self, split: str) -> Iterator[np.ndarray]:
        if self._batches:
            return self._batches()
        return (self._pixels[start : start + 2] for start in range(0, len(self._pixels), 2))

    def batches_at(self, split: str, positions: np.ndarray) -> Iterator[np.ndarray]:
        return iter(self._pixels[positions])

    def folds(self, split: str) -> list[np.ndarray]:
        return self._folds


def stream_of(pixels: np.ndarray, **changes: Any) -> ImageStream:
    """A stream of `pixels`; `changes` as of `MadeSource`."""
    return MadeSource(pixels, changes).stream("train")


def images_dataset(folder: Path, version: str) -> ImagesDataset:
    return ImagesDataset(filepath=str(folder / "images.npy"), version=at(version))


def files_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


STL10_SIDE = 8


def write_stl10(root: Path, count: int = 20, side: int = STL10_SIDE) -> Path:
    """STL-10's files with random images; returns their folder."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    for seed, split in enumerate(("unlabeled", "train", "test")):
        random_pixels(count, side, seed).tofile(folder / f"{split}_X.bin")
    for split in ("train", "test"):
        (np.arange(count) % 10 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("".join(f"class{i}\n" for i in range(10)))
    (folder / "fold_indices.txt").write_text("0 1 2 3 \n4 5 6 7 \n")
    return folder


def pack_stl10(root: Path) -> tuple[Path, Archive]:
    """`write_stl10` as stl10_binary.tar.gz in `root`, and its description with the true sizes and md5s."""
    folder = write_stl10(root)
    packed = root / "stl10_binary.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(folder, folder.name)

    def member(path: Path) -> Member:
        return Member(path.stat().st_size, hashlib.md5(path.read_bytes()).hexdigest())

    whole, members = member(packed), {path.name: member(path) for path in sorted(folder.iterdir())}
    return packed, Archive(f"http://127.0.0.1:9/{packed.name}", whole.size, str(whole.md5), folder.name, members)
