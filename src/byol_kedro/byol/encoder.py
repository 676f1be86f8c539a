"""Saved encoders: a header with all that is needed to use the encoder, and its weights by timm's names."""

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
from byol_kedro.byol.resize import FILTERS
from byol_kedro.errors import UserError

Arrays = Mapping[str, npt.NDArray[Any]]

ADVICE = "choose an encoder that the pipeline pretrain or import_encoder wrote, or run it again"
MAX_IMAGE_SIZE = 10_000  # pixels; far above any size used in training
Rule = tuple[Callable[[Any], bool], str]


def _integer(least: int, most: int = 2**63 - 1) -> Rule:
    expected = f"an integer from {least}" + (f" to {most}" if most < 2**63 - 1 else "")
    return lambda value: type(value) is int and least <= value <= most, expected


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > 0


def _three(is_valid: Callable[[float], bool], condition: str) -> Rule:
    def holds(value: Any) -> bool:
        return (
            isinstance(value, list) and len(value) == 3 and all(type(x) in (int, float) and is_valid(x) for x in value)
        )

    return holds, f"three numbers{condition}"


# Checks and descriptions of the values of a header. Fields without a rule may be any text.
RULES: dict[str, Rule] = {
    "stem": (lambda value: value in ("imagenet", "small_pool", "small"), "imagenet, small_pool or small"),
    "zero_init_residual": (lambda value: type(value) is bool, "true or false"),
    "image_size": _integer(1, MAX_IMAGE_SIZE),
    "mean": _three(math.isfinite, ""),
    "std": _three(lambda x: math.isfinite(x) and x > 0, " above 0"),
    "seed": _integer(0, 2**32 - 1),
    **{name: _integer(1) for name in ("feature_dim", "steps", "batch_size", "projection_dim", "hidden_dim")},
    "epochs": (_is_positive, "a number above 0"),
    "resample": (lambda value: value in FILTERS, f"one of {', '.join(FILTERS)}"),
    "crop": (lambda value: _is_positive(value) and value <= 1, "a number above 0, at most 1"),
}
# Of an encoder that was trained here; those of an imported one are unknown.
TRAINING = ("epochs", "batch_size", "projection_dim", "hidden_dim")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderHeader:
    """The architecture of an encoder, its input and its training.

    In a file each field is a string; fields that are no strings are JSON. Fields without a value are left out.

    Attributes:
        architecture: name in timm.
        stem: `imagenet`, `small_pool` or `small`.
        zero_init_residual: whether residual branches were initialized to zero.
        image_size: side of the training images in pixels; for an imported encoder, of the images that it expects.
        feature_dim: number of features.
        mean: mean of each channel, in [0, 1] units. Images are normalized with `mean` and `std`.
        std: standard deviation of each channel.
        data: source of the images.
        data_fingerprint: fingerprints of the images without and with labels.
        recipe: name of the recipe.
        epochs: epochs of the training; a fraction if it ended within one. This and the other fields of the training
            are None for an encoder that was imported without them.
        steps: steps of the optimizer; None in a header that was written without them.
        batch_size: images per step, over all micro-batches.
        projection_dim: dimension of the projections.
        hidden_dim: width of the hidden layer of the heads.
        seed: seed of the training.
        resample: filter that resizes an image to `image_size`, a name in `resize.FILTERS`.
        crop: the part of the shorter side that remains after resizing.
        imported_from: name of the file of an imported encoder; empty for one that was trained here.
        imported_sha256: SHA-256 (hex) of that file.
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
    epochs: float | None = None
    batch_size: int | None = None
    projection_dim: int | None = None
    hidden_dim: int | None = None
    seed: int
    steps: int | None = None
    resample: str = "bilinear"
    crop: float = 1.0
    imported_from: str = ""
    imported_sha256: str = ""

    def to_dict(self) -> dict[str, str]:
        """The header as strings, for `from_dict`."""
        optional = {f.name for f in dataclasses.fields(self) if f.default in ("", None)}
        values = {
            name: v for name, v in dataclasses.asdict(self).items() if name not in optional or v not in ("", None)
        }
        return {name: v if isinstance(v, str) else json.dumps(v) for name, v in values.items()}

    @classmethod
    def from_dict(cls, header: Mapping[str, str]) -> Self:
        """Read the result of `to_dict`. Other entries, such as version and fingerprint, are ignored.

        Raises:
            UserError: an entry is missing or invalid.
        """
        fields = dataclasses.fields(cls)
        required = {f.name for f in fields if f.default is dataclasses.MISSING}
        required |= set() if header.get("imported_from") else set(TRAINING)
        missing = [f.name for f in fields if f.name in required - header.keys()]
        if missing:
            raise UserError(
                f"the encoder's header lacks {missing[0]} ({len(missing)} entries are missing), so this project did "
                f"not write it; {ADVICE}"
            )
        present = [f for f in fields if f.name in header]
        values = {f.name: header[f.name] if f.type is str else _from_json(header[f.name]) for f in present}
        for name, (is_valid, expected) in RULES.items():
            if name in values and not is_valid(values[name]):
                raise UserError(
                    f"the encoder's header has {header[name][:40]!r} as {name}, expected {expected}, so this project "
                    f"did not write it; {ADVICE}"
                )
        return cls(**values | {"mean": tuple(values["mean"]), "std": tuple(values["std"])})


def _from_json(text: str) -> Any:
    """The JSON value, or None if the text is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def untrained_encoder(header: EncoderHeader) -> nn.Module:
    """The header's network, untrained, in evaluation mode: the baseline of a trained one.

    The weights depend on the header's seed. No residual branch is zeroed, since that would disable half of an
    untrained network. This is the strongest of four variants. Top-1 in % of logistic regression (and 5-NN) with a
    ResNet-18 on photographs of 10 classes:
    32 px, 2,000 + 2,000 images, two seeds: this variant 33.6 (25.9); with BatchNorm statistics of the training images
    26.8 (21.1); branches zeroed 20.9 (17.3); zeroed, with those statistics 21.7 (18.2).
    96 px, 1,000 + 1,000 images, one seed, in the same order: 32.5 (26.7), 25.4 (20.0), 30.6 (22.9), 31.3 (27.3).
    """
    return create_encoder(header.architecture, header.stem, False, header.seed, image_size=header.image_size).eval()


def restore_encoder(header: EncoderHeader, arrays: Arrays) -> nn.Module:
    """The header's network with the weights `arrays`, in evaluation mode, on the CPU.

    Raises:
        UserError: an array is missing, unknown, not finite or of another shape, or the network has another number of
            features than the header says.
    """
    model = untrained_encoder(header)
    if feature_dim(model) != header.feature_dim:
        raise UserError(
            f"the encoder's header has {header.feature_dim} as feature_dim, {header.architecture} has "
            f"{feature_dim(model)}; {ADVICE}"
        )
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    mismatched = sorted(expected.keys() ^ arrays.keys())
    if mismatched:
        problem = "missing" if mismatched[0] in expected else "unknown"
        raise UserError(
            f"the encoder's {mismatched[0]} is {problem} ({len(mismatched)} such arrays), so it is not a "
            f"{header.architecture}; {ADVICE}"
        )
    state = {name: torch.from_numpy(np.array(arrays[name])) for name in expected}
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise UserError(
                f"the encoder's {name} has shape {tuple(state[name].shape)}, {header.architecture} with stem "
                f"{header.stem} expects {shape}; {ADVICE}"
            )
    check_finite(state, "the encoder's", ADVICE)
    model.load_state_dict(state)
    return model


def to_arrays(module: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Copy of a module's parameters and buffers, row-major, by name."""
    return {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in module.state_dict().items()}
