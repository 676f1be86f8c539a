"""Encoders with a header, as files."""

from pathlib import Path

import torch
from kedro.io import Version

from byol_kedro.byol.encoder import EncoderHeader, to_arrays, untrained_encoder
from byol_kedro.datasets.tensors import Tensors, TensorsDataset

OLDER, NEWER = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"
HEADER = EncoderHeader(
    architecture="test_resnet",
    stem="imagenet",
    zero_init_residual=True,
    image_size=16,
    feature_dim=96,
    mean=(0.1, 0.2, 1 / 3),
    std=(0.2, 0.3, 0.4),
    data="photos",
    data_fingerprint="a:b",
    recipe="sample",
    epochs=3,
    batch_size=64,
    projection_dim=8,
    hidden_dim=24,
    seed=4,
)


def save_encoder(data_root: Path, version: str, seed: int = 0) -> Path:
    """The file of an encoder that was saved as `version`."""
    folder = data_root / "06_models" / "encoder.safetensors"
    encoder = Tensors(to_arrays(moved(untrained_encoder(HEADER), seed)), HEADER.to_dict())
    TensorsDataset(filepath=str(folder), version=Version(None, version)).save(encoder)
    return folder / version / folder.name


def moved(model, seed=0):
    """The model with weights and buffers that no initialization gives."""
    torch.manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    return model
