"""Safetensors files with the weights alone, for a network that the other program builds.

Tensors have timm's names; torchvision's are the same for ResNets.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from safetensors.torch import load_file
from torch import nn

from byol_kedro.byol.encoder import EncoderHeader, to_arrays
from byol_kedro.byol.networks import create_encoder, shrink_stem
from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError
from byol_kedro.export.graphs import PixelEncoder, compute_features
from byol_kedro.files.sealed import sealed
from byol_kedro.inference import ENCODER_FILE, FrozenEncoder

INPUT = "RGB in [0, 1], less mean, divided by std, (N, 3, image_size, image_size)"


def write_timm(encoder: FrozenEncoder, path: Path) -> None:
    """Write the weights with timm's names, and the header."""
    arrays, metadata = to_arrays(encoder.model), encoder.metadata() | {"input": INPUT, "format": "pt"}
    path.write_bytes(save(arrays, sealed(metadata, arrays, ENCODER_FILE)))


def timm_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features computed by timm's network with the weights of the file."""
    model = create_encoder(header.architecture, header.stem, False, header.seed + 1, image_size=header.image_size)
    model.load_state_dict(load_file(path))
    return compute_features(PixelEncoder(model, header), pixels)


def write_torchvision(encoder: FrozenEncoder, path: Path) -> None:
    """Write the same file as `write_timm`, for architectures where torchvision's names are the same.

    Raises:
        UserError: torchvision has no network with these tensors.
    """
    network = _torchvision_network(encoder.header)
    theirs = {name: tensor.shape for name, tensor in network.state_dict().items()}
    ours = {name: tensor.shape for name, tensor in encoder.model.state_dict().items()}
    if theirs != ours:
        raise UserError(_unsupported(encoder.header.architecture))
    write_timm(encoder, path)


def torchvision_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features computed by torchvision's network with the weights of the file."""
    model = _torchvision_network(header)
    model.load_state_dict(load_file(path))
    return compute_features(PixelEncoder(model, header), pixels)


def _torchvision_network(header: EncoderHeader) -> nn.Module:
    """The untrained network of the same name in torchvision, without its classifier."""
    import torchvision  # noqa: PLC0415  # takes a second to import

    name = header.architecture
    if name not in torchvision.models.list_models(torchvision.models):
        raise UserError(_unsupported(name))
    with seeded(0):  # its weights are replaced afterwards
        network: nn.Module = torchvision.models.get_model(name, weights=None)
        network.fc = nn.Identity()
        if header.stem != "imagenet":
            shrink_stem(network, name, header.stem)
    return network


def _unsupported(name: str) -> str:
    return f"export: torchvision has no {name} with timm's tensor names, which only ResNets have; use --format timm"
