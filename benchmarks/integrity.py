"""Measures the time to verify artifacts.

    python benchmarks/integrity.py [--count 105000] [--folder DIR] [--data-root DIR]

writes images_unlabeled with `count` images of 96×96 (2.9 GB for the number of STL-10), and opens it in new processes:
after the writing process has recorded its hash, without a record, and once more. The seconds are those of opening,
without imports, medians of three. Then it measures SHA-256 alone, and a file of the size of an encoder. With
--data-root, it verifies every artifact of the runs there and prints the total time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 96
BATCH = 500
ENCODER = 11_177_538  # float32 numbers, as in a ResNet-18
ROUNDS = 3


def write_images(path: Path, count: int) -> float:
    """Save random images as ingest does and return the seconds."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415  # not needed by the parent
    from byol_kedro.parameters import Ingest  # noqa: PLC0415
    from byol_kedro.sources.source import Index, Source  # noqa: PLC0415

    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 3, SIDE, SIDE), dtype=np.uint8)
    sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]

    class RandomImages(Source):
        name = "random"

        def origin(self, split: str) -> dict[str, Any]:  # noqa: ARG002
            return {}

        def index(self, split: str) -> Index:
            return Index(np.full(count, -1), [f"{split}/{number:06}" for number in range(count)])

        def batches(self, split: str) -> Iterator[np.ndarray]:  # noqa: ARG002
            return (pixels[:size] for size in sizes)

    given = {"image_size": SIDE, "test_fraction": 0.2, "folder": {"max_broken": 0.0}}
    parameters = Ingest.model_validate(given | {"photos": {"unlabeled": 0, "train": 1, "test": 1}})
    start = time.perf_counter()
    ImagesDataset(filepath=str(path)).save(RandomImages(path, parameters, 0).stream("unlabeled"))
    return time.perf_counter() - start


def open_images(path: Path) -> float:
    """Load the images and return the seconds."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415

    start = time.perf_counter()
    ImagesDataset(filepath=str(path)).load()
    return time.perf_counter() - start


def write_encoder(path: Path) -> None:
    """Save one array of the size of an encoder."""
    from byol_kedro.datasets.tensors import Tensors, TensorsDataset  # noqa: PLC0415

    weights = np.random.default_rng(0).standard_normal(ENCODER, np.float32)
    TensorsDataset(filepath=str(path)).save(Tensors({"weights": weights}, {}))


def read_encoder(path: Path) -> tuple[float, float]:
    """Return the seconds of reading all arrays the first time in a process, with verification, and the second time."""
    from byol_kedro.datasets.tensors import TensorsDataset  # noqa: PLC0415

    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        loaded = TensorsDataset(filepath=str(path)).load()
        for name in loaded.arrays:
            loaded[name]
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def check_artifacts(data_root: Path) -> tuple[int, int, float]:
    """Verify all artifacts and return their number, their bytes and the seconds."""
    from byol_kedro.datasets.tensors import TensorsDataset  # noqa: PLC0415
    from byol_kedro.files.integrity import CHECKSUM, verify_checksum  # noqa: PLC0415

    files = [path for path in data_root.glob("*/*/*/*") if path.parents[1].stem == path.stem]
    summed = [path for path in files if path.with_name(path.name + CHECKSUM).exists()]
    tensors = [path for path in files if path.suffix == ".safetensors"]
    start = time.perf_counter()
    for path in summed:
        verify_checksum(path)
    for path in tensors:
        arrays = TensorsDataset(filepath=str(path)).load().arrays
        next((arrays[name] for name in arrays), None)
    return len(summed + tensors), sum(path.stat().st_size for path in summed + tensors), time.perf_counter() - start


def child(cache: Path, *words: object) -> list[float]:
    """Run this program in a process and return the numbers that it prints."""
    command = [sys.executable, __file__, *map(str, words)]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return [float(word) for word in done.stdout.split()]


def hash_speed() -> float:
    """Return the speed of SHA-256 on one core in bytes per second."""
    block = bytes(1 << 20)
    start, digest = time.perf_counter(), sha256()
    for _ in range(500):
        digest.update(block)
    return 500 * len(block) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=105_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are written")
    parser.add_argument("--data-root", type=Path, default=None, help="data_root whose artifacts are verified")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write-encoder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.open:
        print(open_images(given.open))
    elif given.write:
        print(write_images(given.write, given.count))
    elif given.write_encoder:
        write_encoder(given.write_encoder)
    elif given.read:
        print(*read_encoder(given.read))
    else:
        report(given.count, given.folder, given.data_root)


def report(count: int, folder: Path | None, data_root: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root, images = Path(name), Path(name) / "images_unlabeled.npy"
        (seconds,) = child(root / "writer", "--write", images, "--count", count)
        print(f"{images.stat().st_size / 1e9:.2f} GB written in {seconds:.2f} s")
        noted = statistics.median(child(root / "writer", "--open", images)[0] for _ in range(ROUNDS))
        caches = [root / f"reader {number}" for number in range(ROUNDS)]
        first = statistics.median(child(cache, "--open", images)[0] for cache in caches)
        second = statistics.median(child(cache, "--open", images)[0] for cache in caches)
        print(f"opened after the writing process {noted:.2f} s; without a record {first:.2f} s, again {second:.2f} s")
        print(f"sha256 alone: {hash_speed() / 1e9:.2f} GB/s")
        encoder = root / "encoder.safetensors"
        child(root / "writer", "--write-encoder", encoder)
        reads = [child(root / f"encoder {number}", "--read", encoder) for number in range(ROUNDS)]
        once, again = (statistics.median(column) for column in zip(*reads, strict=True))
        print(
            f"an encoder of {encoder.stat().st_size / 1e6:.0f} MB read {once:.3f} s, after verification {again:.3f} s"
        )
    if data_root:
        number, size, seconds = check_artifacts(data_root)
        print(f"{number} artifacts of {size / 1e6:.1f} MB under {data_root}: {seconds:.3f} s")


if __name__ == "__main__":
    main()
