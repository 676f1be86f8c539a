"""Measures how fast a folder of JPEGs is ingested, and the error of decoding them as drafts.

    python benchmarks/folder.py --count 2000

creates JPEGs of 500 x 375 pixels from the photographs that scikit-image and scikit-learn install, and resizes them to
squares of 96 pixels, several times in turn: by a loop over Pillow in one process, by the decoder of ingest, and by
torchvision's decoder and resize in a DataLoader with the same number of processes. The files are in the page cache, so
the time is that of decoding. Then it measures a full ingest, one without changes, and one that adds 1 % of the files.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from kedro.io import Version
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms.v2 import functional as F

from byol_kedro.datasets.images import ImagesDataset
from byol_kedro.files import decode as module
from byol_kedro.files.decode import decode
from byol_kedro.files.decoders import decode_all
from byol_kedro.parameters import Ingest
from byol_kedro.sources.folder import FolderSource
from byol_kedro.sources.photos import PHOTOGRAPHS

WIDTH, HEIGHT, SIDE = 500, 375, 96
QUALITY = 90
ENLARGED = 1.5  # at most; photographs enlarged further have no detail to lose
MARGIN = 1.2  # a photograph is at least this much larger than an image, so that crops differ


def write_images(folder: Path, count: int) -> list[Path]:
    """Write random crops of the photographs."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    photographs = [place.read() for place in PHOTOGRAPHS.values()]
    scales = [MARGIN * max(WIDTH / photograph.width, HEIGHT / photograph.height) for photograph in photographs]
    large = [
        photograph.resize((round(photograph.width * scale), round(photograph.height * scale)))
        for photograph, scale in zip(photographs, scales, strict=True)
        if scale <= ENLARGED
    ]
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        photograph = large[number % len(large)]
        left = int(generator.integers(0, photograph.width - WIDTH + 1))
        top = int(generator.integers(0, photograph.height - HEIGHT + 1))
        photograph.crop((left, top, left + WIDTH, top + HEIGHT)).save(path, quality=QUALITY)
    return paths


def pillow_loop(paths: list[Path]) -> None:
    for path in paths:
        with Image.open(path) as file:
            image = file.convert("RGB")
        scale = SIDE / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
        left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
        np.asarray(image.crop((left, top, left + SIDE, top + SIDE))).transpose(2, 0, 1)


def ours(paths: list[Path]) -> None:
    for _ in decode_all(paths, SIDE):
        pass


class Torchvision(Dataset[torch.Tensor]):
    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = decode_jpeg(read_file(str(self.paths[index])), mode=ImageReadMode.RGB)
        resized = F.resize(image, [SIDE], interpolation=F.InterpolationMode.BILINEAR, antialias=True)
        return F.center_crop(resized, [SIDE, SIDE])


def torchvision_loader(paths: list[Path], workers: int) -> None:
    for _ in DataLoader(Torchvision(paths), batch_size=64, num_workers=workers):
        pass


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(paths: list[Path], rounds: int) -> None:
    cores = len(os.sched_getaffinity(0))
    ways: dict[str, Callable[[], object]] = {
        "Pillow, one process": lambda: pillow_loop(paths),
        f"ingest's, {cores} processes": lambda: ours(paths),
        f"torchvision, {cores} processes": lambda: torchvision_loader(paths, cores),
    }
    times = [[seconds(work) for work in ways.values()] for _ in range(rounds)]
    for name, column in zip(ways, zip(*times, strict=True), strict=True):
        ratio = statistics.median(row[0] / own for row, own in zip(times, column, strict=True))
        rate = len(paths) / statistics.median(column)
        print(f"{name:28} {rate:7.0f} images/s, median of {rounds} ratios to the first {ratio:.2f}")


def difference(paths: list[Path]) -> None:
    """Print the PSNR of drafts to full decoding, and the ratio of CPU times."""
    drafted = [decode(path, SIDE) for path in paths]
    one = time.process_time()
    for path in paths:
        decode(path, SIDE)
    two = time.process_time()
    draft, module.DRAFT = module.DRAFT, 1e6
    whole = [decode(path, SIDE) for path in paths]
    three = time.process_time()
    module.DRAFT = draft
    psnr = [10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)) for a, b in zip(drafted, whole, strict=True)]
    ratio = (two - one) / (three - two)
    print(f"drafts: {np.mean(psnr):.1f} dB to full decoding, lowest {min(psnr):.1f}; {ratio:.2f} × the CPU time")


def ingest(root: Path, target: Path, version: str) -> float:
    """Return the seconds of an ingest."""
    given = {"image_size": SIDE, "test_fraction": 0.2, "folder": {"max_broken": 0.0}}
    parameters = Ingest.model_validate(given | {"photos": {"unlabeled": 0, "train": 1, "test": 1}})

    def work() -> None:
        source = FolderSource(root, parameters, 0)
        for split in ("unlabeled", "train", "test"):
            dataset = ImagesDataset(filepath=str(target / f"{split}.npy"), version=Version(None, version))
            dataset.save(source.stream(split))

    return seconds(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="where the files are written")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        root = Path(name)
        paths = write_images(root / "raw", given.count)
        compare(paths, given.rounds)
        difference(paths[:200])
        print(f"ingest {ingest(root / 'raw', root / 'out', '2026-01-01T00.00.00.000Z'):.2f} s")
        print(f"again, unchanged {ingest(root / 'raw', root / 'out', '2026-01-02T00.00.00.000Z'):.3f} s")
        write_images(root / "raw/more", max(1, given.count // 100))
        print(f"again, 1 % added {ingest(root / 'raw', root / 'out', '2026-01-03T00.00.00.000Z'):.2f} s")


if __name__ == "__main__":
    main()
