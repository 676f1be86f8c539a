"""An encoder as it is kept: a header that names what is needed to use it, and its weights by timm's names."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from byol_kedro.byol.networks import create_encoder
from byol_kedro.errors import UserError

Arrays = Mapping[str, npt.NDArray[Any]]

INSTEAD = "take an encoder that the pipeline pretrain wrote, or run it again"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderHeader:
    """What an encoder is and how it was trained.

    In a file each field is a string: text as it is, the rest as JSON.

    `image_size` is in pixels; `mean` and `std` (3 channels, in [0, 1] units) are taken out of a picture
    before it is encoded; `batch_size` is the effective one, over all micro-batches; `data` names the source
    of the pictures.
    """

    architecture: str
    stem: str
    zero_init_residual: bool
    image_size: int
    feature_dim: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: str
    data_fingerprint: str
    recipe: str
    epochs: int
    batch_size: int
    projection_dim: int
    hidden_dim: int
    seed: int

    def to_dict(self) -> dict[str, str]:
        values = dataclasses.asdict(self)
        return {name: v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}

    @classmethod
    def from_dict(cls, header: Mapping[str, str]) -> Self:
        """The header that `to_dict` wrote; other entries (version, fingerprint) are let be.

        Raises:
            UserError: an entry is missing.
        """
        fields = dataclasses.fields(cls)
        missing = [field.name for field in fields if field.name not in header]
        if missing:
            raise UserError(
                f"the encoder's header lacks {missing[0]} ({len(missing)} such entries), so it is none of this "
                f"project; {INSTEAD}"
            )
        values: dict[str, Any] = {
            f.name: header[f.name] if f.type is str else json.loads(header[f.name]) for f in fields
        }
        return cls(**values | {"mean": tuple(values["mean"]), "std": tuple(values["std"])})


def untrained_encoder(header: EncoderHeader) -> nn.Module:
    """The header's network, untrained, in evaluation mode: what a trained one has to beat.

    Weights are those that the header's seed gives, but no residual branch is zeroed, since a zeroed one hides half
    of the network until it is trained. Of four variants logistic regression does best on this one. Top-1 in % of
    logistic regression (and 5-NN) with a ResNet-18 on photographs of 10 classes:
    32 px, 2,000 + 2,000 pictures, two seeds: as here 33.6 (25.9); as here with BatchNorm statistics of the training
    pictures 26.8 (21.1); branches zeroed 20.9 (17.3); zeroed, with those statistics 21.7 (18.2).
    96 px, 1,000 + 1,000 pictures, one seed, in the same order: 32.5 (26.7), 25.4 (20.0), 30.6 (22.9), 31.3 (27.3).
    """
    return create_encoder(header.architecture, header.stem, False, header.seed, image_size=header.image_size).eval()


def restore_encoder(header: EncoderHeader, arrays: Arrays) -> nn.Module:
    """The header's network with the weights `arrays`, in evaluation mode, on the CPU.

    Raises:
        UserError: an array is missing, is not the network's, or has another shape than there.
    """
    model = untrained_encoder(header)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    odd = sorted(expected.keys() ^ arrays.keys())
    if odd:
        fault = "missing" if odd[0] in expected else "unknown to it"
        raise UserError(
            f"the encoder's {odd[0]} is {fault} ({len(odd)} such arrays), so it is no {header.architecture}; {INSTEAD}"
        )
    state = {name: torch.from_numpy(np.array(arrays[name])) for name in expected}
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise UserError(
                f"the encoder's {name} has shape {tuple(state[name].shape)}, {header.architecture} with stem "
                f"{header.stem} expects {shape}; {INSTEAD}"
            )
    model.load_state_dict(state)
    return model


def to_arrays(module: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Copies of a module's parameters and buffers, row-major, by name."""
    return {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in module.state_dict().items()}
