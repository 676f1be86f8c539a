"""Features with the header that says whose they are."""

import json

import numpy as np
import torch
from torch import nn

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import ENCODER_FEATURES, encode
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Array, Tensors


def latents(
    model: nn.Module,
    header: EncoderHeader,
    images: Images,
    split: str,
    device: torch.device,
    encoder: Tensors,
    count: int | None = None,
) -> Tensors:
    """`features` (N, D) float32, `labels` (N,) int64 and `index` (N,) int64, the row among `images`.

    N is `count`, of the first images, or all of them. The header's `class_names` are those of the labels, as JSON.

    Raises NotFiniteError as `encode`, which names the encoder and `split`.
    """
    whose = f"{ENCODER_FEATURES} {encoder.header['version']}, {split}"
    index = np.arange(len(images), dtype=np.int64)[:count]
    arrays: dict[str, Array] = {
        "features": encode(model, images.pixels[: len(index)], header, device, name=whose),
        "labels": images.labels[: len(index)],
        "index": index,
    }
    return Tensors(arrays, derived_header(encoder, images) | {"class_names": json.dumps(images.class_names)})


def derived_header(encoder: Tensors, *splits: Images) -> dict[str, str]:
    """Which encoder and which images something was derived from."""
    return {
        "encoder_version": encoder.header["version"],
        "encoder_fingerprint": encoder.header["fingerprint"],
        "data": splits[0].source,
        "data_fingerprint": ":".join(images.fingerprint for images in splits),
    }
