"""How much memory and time ingest takes, beside a plain copy of the same bytes.

    python benchmarks/ingest.py --count 20000

makes files in STL-10's layout with random pixels, then three times: copies the pictures' files, flushes the copies to
the disk, and ingests through the datasets, which flush too. Each ingest runs in a process of its own; its peak memory
is that process's, packages included. Needs three times count x 27,648 bytes in --folder.
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

SIDE = 96
LABELLED = 100  # pictures in train and in test; the rest is unlabeled
SPLITS = ("unlabeled", "train", "test")


def write_stl10(folder: Path, count: int) -> None:
    """`count` unlabeled pictures and a few labelled ones, (3, 96, 96) uint8 each."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for split, left in zip(SPLITS, (count, LABELLED, LABELLED), strict=True):
        with (folder / f"{split}_X.bin").open("wb") as file:
            for start in range(0, left, 500):
                file.write(generator.bytes(3 * SIDE**2 * min(500, left - start)))
    for split in ("train", "test"):
        (np.arange(LABELLED) % 10 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("".join(f"class{i}\n" for i in range(10)))
    (folder / "fold_indices.txt").write_text("0 1 2 3\n")


def copy(source: Path, target: Path) -> float:
    """Seconds that a plain copy takes, until it is on the disk."""
    target.mkdir()
    start = time.perf_counter()
    for split in SPLITS:
        shutil.copyfile(source / f"{split}_X.bin", target / split)
        with (target / split).open("rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - start


def ingest(root: Path, target: Path) -> None:
    """What a run does with the files; prints seconds and peak memory in bytes."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415  (the parent needs none of it)
    from byol_kedro.datasets.raw import RawImages  # noqa: PLC0415
    from byol_kedro.parameters import Ingest  # noqa: PLC0415

    start = time.perf_counter()
    parameters = Ingest.model_validate({"image_size": SIDE, "photos": {"unlabeled": 0, "train": 1, "test": 1}})
    source = RawImages("stl10", root).open(parameters, seed=0)
    for split in SPLITS:
        ImagesDataset(filepath=str(target / f"{split}.npy")).save(source.stream(split))
    seconds = time.perf_counter() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="unlabeled pictures; STL-10 has 100000")
    parser.add_argument("--folder", type=Path, default=None, help="where the files are made")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ingest(*given.child)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        root = Path(name)
        write_stl10(root / "stl10_binary", given.count)
        pairs = [measure(root) for _ in range(3)]
    size = (given.count + 2 * LABELLED) * 3 * SIDE**2
    copied, ingested, peak = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second, _ in pairs)
    print(f"{size / 1e9:.2f} GB: ingest {ingested:.2f} s, copy {copied:.2f} s, median ratio of 3 pairs {ratio:.2f}")
    print(f"peak memory of ingest {peak / 1e6:.0f} MB")


def measure(root: Path) -> tuple[float, float, float]:
    """Seconds of a copy, seconds of an ingest after it, peak memory of the ingest in bytes."""
    target = root / "out"
    seconds = copy(root / "stl10_binary", target)
    shutil.rmtree(target)
    command = [sys.executable, __file__, "--child", str(root), str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(target)
    ingest_seconds, peak = map(float, done.stdout.split())
    return seconds, ingest_seconds, peak


if __name__ == "__main__":
    main()
