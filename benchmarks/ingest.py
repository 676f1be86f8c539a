"""Measures memory and time of ingest, compared with a plain copy of the same bytes.

    python benchmarks/ingest.py --count 20000
    python benchmarks/ingest.py --files 100000

writes files in the layout of STL-10 with random pixels. Three times, it copies the image files, flushes the copies to
the disk, and ingests the files with the datasets, which flush too. Each ingest runs in its own process, whose peak
memory includes the packages. Another process then opens the unlabeled images. Needs three times count x 27,648 bytes
in --folder.

With --files, it creates a folder of tiny files of ten classes instead and ingests it several times: the time to detect
that no file has changed, compared with only reading the metadata of each file.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 96
LABELED = 100  # images in train and in test; the rest is unlabeled
SPLITS = ("unlabeled", "train", "test")


def write_stl10(folder: Path, count: int) -> None:
    """`count` unlabeled images and a few labeled ones, (3, 96, 96) uint8 each."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for split, left in zip(SPLITS, (count, LABELED, LABELED), strict=True):
        with (folder / f"{split}_X.bin").open("wb") as file:
            for start in range(0, left, 500):
                file.write(generator.bytes(3 * SIDE**2 * min(500, left - start)))
    for split in ("train", "test"):
        (np.arange(LABELED) % 10 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("".join(f"class{i}\n" for i in range(10)))
    (folder / "fold_indices.txt").write_text("0 1 2 3\n")


def copy(source: Path, target: Path) -> float:
    """Return the seconds of a plain copy, including the flush."""
    target.mkdir()
    start = time.perf_counter()
    for split in SPLITS:
        shutil.copyfile(source / f"{split}_X.bin", target / split)
        with (target / split).open("rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - start


def ingest(root: Path, target: Path) -> None:
    """Ingest the files; print seconds and peak memory in bytes."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415  # not needed by the parent
    from byol_kedro.datasets.raw import RawImages  # noqa: PLC0415
    from byol_kedro.parameters import Ingest  # noqa: PLC0415

    start = time.perf_counter()
    photos = {"unlabeled": 0, "train": 1, "test": 1}
    given = {"image_size": SIDE, "test_fraction": 0.2, "folder": {"max_broken": 0.0}, "photos": photos}
    parameters = Ingest.model_validate(given)
    source = RawImages("stl10", root).open(parameters, seed=0)
    for split in SPLITS:
        ImagesDataset(filepath=str(target / f"{split}.npy")).save(source.stream(split))
    seconds = time.perf_counter() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def open_again(path: Path) -> None:
    """Open the images; print seconds and resident bytes beyond those of the imports."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415

    before, start = resident(), time.perf_counter()
    images = ImagesDataset(filepath=str(path)).load()
    print(time.perf_counter() - start, resident() - before, len(images))


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def write_files(root: Path, count: int) -> None:
    """Write tiny files in ten classes."""
    generator = np.random.default_rng(0)
    for label in range(10):
        (root / f"train/{label}").mkdir(parents=True)
    for number in range(count):
        image = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        image.save(root / f"train/{number % 10}/{number:06}.bmp")


def again(root: Path, count: int, rounds: int = 5) -> None:
    """Ingest a folder of `count` files, then again several times."""
    from kedro.io import Version  # noqa: PLC0415  # not needed by the parent

    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415
    from byol_kedro.parameters import Ingest  # noqa: PLC0415
    from byol_kedro.sources.folder import FolderSource  # noqa: PLC0415

    write_files(root / "raw", count)
    given = {"image_size": 8, "test_fraction": 0.2, "folder": {"max_broken": 0.0}}
    parameters = Ingest.model_validate(given | {"photos": {"unlabeled": 0, "train": 1, "test": 1}})
    seconds, asked = [], []
    for number in range(rounds + 1):
        start = time.perf_counter()
        source = FolderSource(root / "raw", parameters, 0)
        for split in SPLITS:
            version = Version(None, f"2026-01-01T00.00.{number:02}.000Z")
            ImagesDataset(filepath=str(root / f"{split}.npy"), version=version).save(source.stream(split))
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        for folder in (root / "raw/train").iterdir():
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                entry.stat()
        asked.append(time.perf_counter() - start)
    repeated = statistics.median(seconds[1:])
    print(f"{count} files: first ingest {seconds[0]:.1f} s, again {repeated:.2f} s, median of {rounds}")
    print(f"reading the metadata alone {statistics.median(asked[1:]):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="unlabeled images; STL-10 has 100000")
    parser.add_argument("--files", type=int, help="number of tiny files; ingested several times")
    parser.add_argument("--folder", type=Path, default=None, help="where the files are written")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ingest(*given.child)
        return
    if given.open:
        open_again(given.open)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        root = Path(name)
        if given.files:
            again(root, given.files)
            return
        write_stl10(root / "stl10_binary", given.count)
        pairs = [measure(root) for _ in range(3)]
    size = (given.count + 2 * LABELED) * 3 * SIDE**2
    copied, ingested, peak, opened, held = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second, *_ in pairs)
    print(f"{size / 1e9:.2f} GB: ingest {ingested:.2f} s, copy {copied:.2f} s, median ratio of 3 pairs {ratio:.2f}")
    print(f"peak memory of ingest {peak / 1e6:.0f} MB")
    print(f"opening the unlabeled images {opened:.2f} s, {held / 1e6:.0f} MB resident beyond the imports")


def measure(root: Path) -> tuple[float, ...]:
    """Return seconds of a copy and of an ingest, its peak memory in bytes, and seconds and bytes of opening."""
    target = root / "out"
    seconds = copy(root / "stl10_binary", target)
    shutil.rmtree(target)
    ingest_seconds, peak = child("--child", root, target)
    opened, held, _ = child("--open", target / "unlabeled.npy")
    shutil.rmtree(target)
    return seconds, ingest_seconds, peak, opened, held


def child(*words: object) -> list[float]:
    """Run this program in a process and return the numbers that it prints."""
    command = [sys.executable, __file__, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


if __name__ == "__main__":
    main()
