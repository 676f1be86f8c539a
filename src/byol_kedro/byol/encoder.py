"""An encoder as it is kept: a header that names what is needed to use it, and its weights by timm's names."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from byol_kedro.byol.finite import check_finite
from byol_kedro.byol.networks import create_encoder, feature_dim
from byol_kedro.errors import UserError

Arrays = Mapping[str, npt.NDArray[Any]]

INSTEAD = "take an encoder that the pipeline pretrain wrote, or run it again"
LARGEST = 10_000  # pixels of a side; what is larger is no size that somebody has trained with
Rule = tuple[Callable[[Any], bool], str]


def _whole(least: int, most: int = 2**63 - 1) -> Rule:
    words = f"a whole number from {least}" + (f" to {most}" if most < 2**63 - 1 else "")
    return lambda value: type(value) is int and least <= value <= most, words


def _three(good: Callable[[float], bool], words: str) -> Rule:
    def holds(value: Any) -> bool:
        return isinstance(value, list) and len(value) == 3 and all(type(x) in (int, float) and good(x) for x in value)

    return holds, f"three numbers{words}"


# What the values of a header have to be; any text will do where there is no rule.
RULES: dict[str, Rule] = {
    "stem": (lambda value: value in ("imagenet", "small"), "imagenet or small"),
    "zero_init_residual": (lambda value: type(value) is bool, "true or false"),
    "image_size": _whole(1, LARGEST),
    "mean": _three(math.isfinite, ""),
    "std": _three(lambda x: math.isfinite(x) and x > 0, " above 0"),
    "seed": _whole(0, 2**32 - 1),
    **{name: _whole(1) for name in ("feature_dim", "epochs", "batch_size", "projection_dim", "hidden_dim")},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderHeader:
    """What an encoder is and how it was trained.

    In a file each field is a string: text as it is, the rest as JSON.

    `image_size` is in pixels; `mean` and `std` (3 channels, in [0, 1] units) are taken out of an image
    before it is encoded; `batch_size` is the effective one, over all micro-batches; `data` names the source
    of the images.
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
            UserError: an entry is missing, or is none that `to_dict` writes.
        """
        fields = dataclasses.fields(cls)
        missing = [f.name for f in fields if f.name not in header and f.default is dataclasses.MISSING]
        if missing:
            raise UserError(
                f"the encoder's header lacks {missing[0]} ({len(missing)} such entries), so it is none of this "
                f"project; {INSTEAD}"
            )
        there = [f for f in fields if f.name in header]
        values = {f.name: header[f.name] if f.type is str else _from_json(header[f.name]) for f in there}
        for name, (holds, expected) in RULES.items():
            if not holds(values[name]):
                raise UserError(
                    f"the encoder's header has {header[name][:40]!r} as {name}, {expected} expected, so it is none of "
                    f"this project; {INSTEAD}"
                )
        return cls(**values | {"mean": tuple(values["mean"]), "std": tuple(values["std"])})


def _from_json(text: str) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def untrained_encoder(header: EncoderHeader) -> nn.Module:
    """The header's network, untrained, in evaluation mode: what a trained one has to beat.

    Weights are those that the header's seed gives, but no residual branch is zeroed, since a zeroed one hides half
    of the network until it is trained. Of four variants logistic regression does best on this one. Top-1 in % of
    logistic regression (and 5-NN) with a ResNet-18 on photographs of 10 classes:
    32 px, 2,000 + 2,000 images, two seeds: as here 33.6 (25.9); as here with BatchNorm statistics of the training
    images 26.8 (21.1); branches zeroed 20.9 (17.3); zeroed, with those statistics 21.7 (18.2).
    96 px, 1,000 + 1,000 images, one seed, in the same order: 32.5 (26.7), 25.4 (20.0), 30.6 (22.9), 31.3 (27.3).
    """
    return create_encoder(header.architecture, header.stem, False, header.seed, image_size=header.image_size).eval()


def restore_encoder(header: EncoderHeader, arrays: Arrays) -> nn.Module:
    """The header's network with the weights `arrays`, in evaluation mode, on the CPU.

    Raises:
        UserError: an array is missing, is not the network's, has another shape than there, or holds no finite numbers;
            the network has another number of features than the header says.
    """
    model = untrained_encoder(header)
    if feature_dim(model) != header.feature_dim:
        raise UserError(
            f"the encoder's header has {header.feature_dim} as feature_dim, {header.architecture} has "
            f"{feature_dim(model)}; {INSTEAD}"
        )
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
    check_finite(state, "the encoder's", INSTEAD)
    model.load_state_dict(state)
    return model


def to_arrays(module: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Copies of a module's parameters and buffers, row-major, by name."""
    return {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in module.state_dict().items()}
