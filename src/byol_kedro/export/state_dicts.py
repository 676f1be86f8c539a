"""The weights alone, as a safetensors file, for a network that the other program builds itself.

The names are timm's; for ResNets torchvision has the same.
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
from byol_kedro.export.graphs import FromPixels, features_of
from byol_kedro.files.sealed import sealed
from byol_kedro.inference import FILE, FrozenEncoder

INPUT = "RGB in [0, 1], less mean, divided by std, (N, 3, image_size, image_size)"


def write_timm(encoder: FrozenEncoder, path: Path) -> None:
    """The encoder's weights and header, by timm's names."""
    arrays, about = to_arrays(encoder.model), encoder.about() | {"input": INPUT, "format": "pt"}
    path.write_bytes(save(arrays, sealed(about, arrays, FILE)))


def timm_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What timm's network makes of the file."""
    model = create_encoder(header.architecture, header.stem, False, header.seed + 1, image_size=header.image_size)
    model.load_state_dict(load_file(path))
    return features_of(FromPixels(model, header), pixels)


def write_torchvision(encoder: FrozenEncoder, path: Path) -> None:
    """As `write_timm`. UserError when torchvision has no network of these names."""
    network = _torchvision_network(encoder.header)
    theirs = {name: tensor.shape for name, tensor in network.state_dict().items()}
    ours = {name: tensor.shape for name, tensor in encoder.model.state_dict().items()}
    if theirs != ours:
        raise UserError(_no_network(encoder.header.architecture))
    write_timm(encoder, path)


def torchvision_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What torchvision's network makes of the file."""
    model = _torchvision_network(header)
    model.load_state_dict(load_file(path))
    return features_of(FromPixels(model, header), pixels)


def _torchvision_network(header: EncoderHeader) -> nn.Module:
    """torchvision's network of the same name without its classifier, untrained."""
    import torchvision  # noqa: PLC0415  # takes a second to import

    name = header.architecture
    if name not in torchvision.models.list_models(torchvision.models):
        raise UserError(_no_network(name))
    with seeded(0):  # whatever it starts at is loaded over
        network: nn.Module = torchvision.models.get_model(name, weights=None)
        network.fc = nn.Identity()
        if header.stem == "small":
            shrink_stem(network, name)
    return network


def _no_network(name: str) -> str:
    return f"export: torchvision has no {name} with timm's names of its weights (ResNets have); use --format timm"
