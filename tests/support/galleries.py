"""A data_root with images, an encoder and its features, for searches."""

from pathlib import Path

import numpy as np
import torch
from kedro.io import Version
from PIL import Image

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from tests.support.encoders import HEADER, OLDER
from tests.support.image_datasets import stream_of
from tests.support.trainings import CPU

SIDE = 16
COUNTS = {"train": 8, "test": 4, "unlabeled": 3}


def varied_pixels(count: int, seed: int) -> np.ndarray:
    """Images (count, 3, SIDE, SIDE) of a few colored areas, so that their features differ by more than rounding."""
    colors = np.random.default_rng(seed).integers(0, 256, (count, 3, 2, 2), dtype=np.uint8)
    return np.kron(colors, np.ones((SIDE // 2, SIDE // 2), np.uint8))


def write_gallery(folder: Path, saved: int | None = None) -> dict[str, Images]:
    """Write `data` below `folder`, and the images as PNG files in `raw`; `saved` limits the unlabeled features."""
    # Not `save_encoder`, whose weights give all images almost the same features.
    torch.manual_seed(0)
    path, version = folder / "data/06_models/encoder.safetensors", Version(None, OLDER)
    encoder_dataset = TensorsDataset(filepath=str(path), version=version)
    encoder_dataset.save(Tensors(to_arrays(untrained_encoder(HEADER)), HEADER.to_dict()))
    encoder = encoder_dataset.load()
    header = EncoderHeader.from_dict(encoder.header)
    splits = {}
    for seed, (split, count) in enumerate(COUNTS.items()):
        names = [f"{split}/{row}.png" for row in range(count)]
        pixels = varied_pixels(count, seed)
        dataset = ImagesDataset(
            filepath=str(folder / f"data/02_intermediate/images_{split}.npy"), version=Version(None, OLDER)
        )
        dataset.save(stream_of(pixels, names=names, labels=np.full(count, -1)))
        splits[split] = images = dataset.load()
        for name, image in zip(names, pixels, strict=True):
            (folder / "raw" / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(folder / "raw" / name)
        index = np.arange(count, dtype=np.int64)[: saved if split == "unlabeled" else None]
        features = encode(restore_encoder(header, encoder.arrays), pixels[index], header, CPU)
        latents = Tensors(
            {"features": features, "labels": images.labels[index], "index": index},
            Provenance.of(encoder, images).to_header() | {"class_names": "[]"},
        )
        TensorsDataset(
            filepath=str(folder / f"data/04_feature/latents_{split}.safetensors"), version=Version(None, OLDER)
        ).save(latents)
    return splits
