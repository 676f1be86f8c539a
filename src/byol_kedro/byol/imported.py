"""Encoders that were trained elsewhere, with the preparation of images that belongs to them.

The pipeline import_encoder and the references of an evaluation get their networks here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.layouts import resnet_in
from byol_kedro.byol.networks import check_architecture_name, feature_dim
from byol_kedro.byol.pretrained_weights import (
    ONLINE,
    check_timm_name,
    hub_repository,
    is_timm_name,
    pretrained_encoder,
)
from byol_kedro.errors import UserError
from byol_kedro.files.hub import FILE, WeightsUnavailableError, hub_weights
from byol_kedro.files.user_files import sha256_of
from byol_kedro.files.weights import read_weights

if TYPE_CHECKING:
    from byol_kedro.parameters import ImportEncoder

SEPARATOR = "@"  # as in resnet18.tv_in1k@weights/mine.safetensors
SUFFIXES = frozenset({".safetensors", ".pth", ".pt", ".tar", ".bin", ".ckpt"})
NOT_A_NAME = ", or give the path of a file of weights"
# The published trainer's model.pth: images of STL-10, without normalization.
PUBLISHED = {"image_size": 96, "crop": 1.0, "resample": "bilinear", "mean": (0.0,) * 3, "std": (1.0,) * 3}
RECIPE, DATA = "imported", "other images"  # in place of the recipe and of the training images
# What the header of an encoder of this project says about its training, besides the fields of EncoderHeader.
KEPT = ("init_from", "training", "lineage", "image_passes")


@dataclass(frozen=True, eq=False)
class ImportedEncoder:
    """An encoder that was trained elsewhere.

    Attributes:
        model: the network without a classifier, in evaluation mode, on the CPU.
        header: architecture, preparation of the images, and what it was imported from.
        training: entries of a header that describe its training, if this project wrote the file.
        weights: name of the weights or of the architecture in timm.
    """

    model: nn.Module
    header: EncoderHeader
    training: dict[str, str]
    weights: str


def split_source(wanted: str, parameter: str) -> tuple[str, Path | None]:
    """The name in timm and the file of `NAME`, `NAME@FILE` or `FILE`; the one that is not given is empty or None.

    Raises:
        UserError: timm does not know the name.
    """
    name, at, file = wanted.partition(SEPARATOR)
    if at and "/" not in name:
        check_timm_name(name, parameter)
        return name, Path(file)
    path = Path(wanted)
    if not is_timm_name(wanted) and ("/" in wanted or path.suffix in SUFFIXES or path.exists()):
        return "", path
    check_timm_name(wanted, parameter, NOT_A_NAME)
    return wanted, None


def import_weights(
    name: str, file: Path | None, settings: "ImportEncoder", parameter: str, *, seed: int = 0, quiet: bool = False
) -> ImportedEncoder:
    """Read an encoder from a file, or from the cache of the hub or the hub.

    Args:
        name: name of the weights or of the architecture in timm; empty to recognize it: by the header of an encoder
            of this project, as a ResNet, or by the name of the file.
        file: the file; None for timm's weights `name`.
        settings: preparation of the images where neither this project's header nor timm's metadata has one.
        parameter: where name and file come from, for messages.
        seed: seed of the header, for the untrained network of the same architecture.
        quiet: whether to log nothing.

    Raises:
        UserError: the file is missing, damaged, contains code or another network, or its architecture is unknown.
        WeightsUnavailableError: the weights `name` are neither cached nor downloadable.
    """
    origin, path = (file.name, file) if file else _downloaded(name)
    content, header = read_weights(path, parameter)
    source = f"{parameter}: {path}"
    own = _own_header(header, source)
    weights = name or _recognized(content, own, path, source)
    architecture = weights.partition(".")[0]
    if own and own.architecture != architecture:
        raise UserError(f"{source} is a {own.architecture} according to its header, not a {name}; give {path} alone")
    about = _preparation(content, own, weights, settings, source, named=bool(name) or "." in weights)
    stem = own.stem if own else settings.stem
    model = _network(weights, content, source, stem, about["image_size"], quiet=quiet)
    base = own or EncoderHeader(
        architecture=architecture, stem=stem, zero_init_residual=False, feature_dim=feature_dim(model), data=DATA,
        data_fingerprint="", recipe=RECIPE, seed=seed, **about,
    )  # fmt: skip
    made = replace(base, **about, imported_from=origin, imported_sha256=sha256_of(path, parameter))
    return ImportedEncoder(model, made, {key: header[key] for key in KEPT if own and key in header}, weights)


def _downloaded(name: str) -> tuple[str, Path]:
    repository = hub_repository(name)
    if repository is None:
        raise WeightsUnavailableError("timm has no hub address for them")
    return f"{repository}/{FILE}", hub_weights(repository)


def _own_header(header: Mapping[str, str], source: str) -> EncoderHeader | None:
    """The header of an encoder that this project has written; None for another file."""
    if not {"architecture", "feature_dim", "mean"} <= header.keys():
        return None
    try:
        own = EncoderHeader.from_dict(header)
        check_architecture_name(own.architecture)
    except UserError as reason:
        raise UserError(f"{source}: {reason}") from None
    return own


def _recognized(content: Mapping[str, Any], own: EncoderHeader | None, path: Path, source: str) -> str:
    """The name in timm of the architecture in a file, or of its weights if the file has their name."""
    named = next((text for text in (path.name, path.stem) if is_timm_name(text)), "")
    found = own.architecture if own else resnet_in(content)
    if found and named.partition(".")[0] != found:
        return found
    if found and "." not in named:  # as files of torchvision are called, whose preparation is another one
        return found
    if named:
        return named
    raise UserError(
        f"{source}: the architecture cannot be recognized from the file, which is only possible for ResNets, encoders "
        f"of this project and files named as in timm; put its name in timm before it, as in "
        f"vit_tiny_patch16_224{SEPARATOR}{path}"
    )


def _preparation(
    content: Mapping[str, Any], own: EncoderHeader | None, weights: str, settings: "ImportEncoder", source: str, *,
    named: bool,
) -> dict[str, Any]:  # fmt: skip
    """Size, crop, filter and normalization of the images, as fields of the header.

    They are those of the project's own header, of the published trainer, of timm's metadata if the user or the file
    names the weights (`named`), or else those of `settings`.
    """
    given = settings.model_dump(include=set(PUBLISHED))
    if not settings.use_metadata:
        return given
    if own:
        return {name: getattr(own, name) for name in PUBLISHED}
    if ONLINE in content:
        return PUBLISHED
    known = _metadata(weights) if named or not resnet_in(content) else None
    if known and (known["input_size"][0] != 3 or len(set(known["input_size"][1:])) > 1):
        raise UserError(
            f"{source}: {weights} takes images of {known['input_size']}, expected three channels of a square"
        )
    if not known:
        return given
    size, mean, std = known["input_size"][1], tuple(known["mean"]), tuple(known["std"])
    return {
        "image_size": size, "crop": known["crop_pct"], "resample": known["interpolation"], "mean": mean, "std": std
    }  # fmt: skip


def _metadata(weights: str) -> dict[str, Any] | None:
    """Timm's input configuration of weights; None if it has none."""
    from timm.data.config import resolve_data_config  # noqa: PLC0415  # takes seconds to import
    from timm.models import get_pretrained_cfg  # noqa: PLC0415

    config = get_pretrained_cfg(weights)
    if config is None:
        return None
    found: dict[str, Any] = resolve_data_config({}, pretrained_cfg=config.to_dict())  # type: ignore[no-untyped-call]  # timm has no types there
    return found


def _network(
    weights: str, content: Mapping[str, Any], source: str, stem: str, size: int, *, quiet: bool
) -> nn.Module:  # fmt: skip
    try:
        return pretrained_encoder(weights, content, source, stem=stem, image_size=size, quiet=quiet)
    except UserError as error:
        reason = str(error)
        if reason.startswith(source):
            raise
        # The network could not be built, and the reason names the parameters of a training.
        raise UserError(
            f"{source}: {weights} cannot be built for images of {size} × {size} pixels with the stem {stem}; set "
            "import_encoder.image_size and import_encoder.stem to those of the file"
        ) from error
