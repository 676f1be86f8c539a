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
from byol_kedro.sources.stream import ImageStream, Index

PHOTOS = {"unlabeled": 0, "train": 1, "test": 1}


def ingest_parameters(image_size: int, **changes: Any) -> Ingest:
    """Nothing may be broken, a quarter is held out; `changes` replace fields."""
    given = {"image_size": image_size, "test_fraction": 0.25, "max_broken": 0.0, "photos": PHOTOS}
    return Ingest.model_validate(given | changes)


OLD, NEW = "2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"


def at(version: str) -> Version:
    return Version(None, version)


def random_pixels(count: int, side: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def stream_of(pixels: np.ndarray, **changes: Any) -> ImageStream:
    """A stream of `pixels` in batches of two; `changes` replace fields, those of its index too."""
    count, _, side, _ = pixels.shape

    def batches() -> Iterator[np.ndarray]:
        return (pixels[start : start + 2] for start in range(0, count, 2))

    fields: dict[str, Any] = {
        "side": side,
        "class_names": [f"class {i}" for i in range(count)],
        "source": "made",
        "origin": {"made": 1},
        "batches": batches,
    }
    index: dict[str, Any] = {
        "labels": np.arange(count, dtype=np.int64),
        "names": [f"train/{i}" for i in range(count)],
        "keys": None,
    }
    index |= {name: changes.pop(name) for name in index if name in changes}
    return ImageStream(**(fields | {"index": lambda: Index(**index)} | changes))


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
