"""Folders of small images."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.files.decoders import Decoded
from tests.support.image_datasets import NEW, at, ingest_parameters

SPLITS = ("unlabeled", "train", "test")
SIDE = 8


def decode_here(paths: Iterable[Path], size: int) -> Iterator[Decoded]:
    """Replaces `decode_all`, whose processes take longer to start than small images to decode."""
    for path in paths:
        try:
            yield decode(path, size)
        except UnreadableImage as reason:
            yield reason


def write_image(path: Path, color: int = 0) -> Path:
    """Write an image of a single color that identifies it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (SIDE, SIDE), (color % 256, color // 256, 0)).save(path, format="PNG")
    return path


def write_tree(root: Path, names: Iterable[str]) -> Path:
    """Write an image of a different color for each name."""
    for color, name in enumerate(names):
        write_image(root / name, color)
    return root


def labeled_folder(root: Path, per_class: int = 4, classes: str = "ab") -> Path:
    """Write train/a/0.png and so on."""
    return write_tree(root, [f"train/{name}/{n}.png" for name in classes for n in range(per_class)])


def ingested(
    source: str, root: Path | str, out: Path, version: str = NEW, image_size: int = SIDE, **changes: object
) -> dict[str, Images]:
    """Ingest a source and load the result."""
    opened = RawImages(source, root).open(ingest_parameters(image_size, **changes), seed=0)
    streams = {split: opened.stream(split) for split in SPLITS}
    datasets = {split: ImagesDataset(filepath=str(out / f"{split}.npy"), version=at(version)) for split in SPLITS}
    for split, dataset in datasets.items():
        dataset.save(streams[split])
    return {split: dataset.load() for split, dataset in datasets.items()}


def colors(images: Images) -> list[int]:
    """Return the colors of images from `write_image`."""
    return [int(image[0, 0, 0]) + 256 * int(image[1, 0, 0]) for image in np.asarray(images.pixels)]


def noise(path: Path, seed: int = 0) -> Path:
    """Write an image of random pixels."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    return path
