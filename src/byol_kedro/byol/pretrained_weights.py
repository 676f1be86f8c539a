"""Weights from files: to initialize a training, and for encoders that were trained elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from byol_kedro.byol.finite import float32_weights
from byol_kedro.byol.layouts import COUNTER, Found, find_encoder, resnet_name
from byol_kedro.byol.method import Method
from byol_kedro.byol.networks import create_encoder
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.suggestions import close_names

ONLINE, TARGET = "online_network_state_dict", "target_network_state_dict"
# The published trainer (sthalles/PyTorch-BYOL) stores torchvision's ResNet as a Sequential of its children.
CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
PUBLISHED_ENCODER, PUBLISHED_PROJECTOR = "encoder.", "projetion.net."  # sic
ADVICE = "set pretrain.encoder.name, pretrain.encoder.stem and pretrain.heads to those of the file"
ENCODERS = ("encoder", "target.encoder")  # the second one where the method has a target network
logger = get_logger(__name__)


@dataclass(frozen=True)
class LoadedWeights:
    """The parts of the network that were loaded, those that keep their random weights, and a note (`Found.note`)."""

    parts: tuple[str, ...]
    random: str
    note: str = ""


def load_matching(network: Method, content: Mapping[str, Any], source: str) -> LoadedWeights:
    """Load the weights of a file into `network`.

    A file with an encoder initializes the encoders of the online and the target network. The published trainer's
    `model.pth` initializes everything but the predictor.

    Args:
        network: changed in place.
        content: an encoder by timm's or torchvision's names in any layout that `find_encoder` supports; or the
            content of the published trainer's `model.pth`, with one state dict of the online and one of the target
            network, each of encoder and projector.
        source: name of the file in messages.

    Returns:
        What was loaded.

    Raises:
        UserError: A tensor of the network is missing in the file or has another shape, or the file has other tensors.
    """
    problem = f"{source} does not match this network"
    if ONLINE in content or TARGET in content:
        loaded = LoadedWeights(("encoder", "projector", "target"), "the predictor, which is not in the file")
        tensors = _published_tensors(content, source)
        check_match(tensors, _tensors(network, loaded.parts), problem, ADVICE)
    else:
        found = match_encoder(content, network.encoder, problem, ADVICE, "encoder.")
        modules = dict(network.named_modules())
        parts = tuple(part for part in ENCODERS if part in modules)
        loaded = LoadedWeights(parts, "projector and predictor", found.note())
        tensors = {f"{part}.{name}": tensor for part in parts for name, tensor in found.tensors.items()}
    network.load_state_dict({**network.state_dict(), **tensors})
    return loaded


def match_encoder(content: Mapping[str, Any], encoder: nn.Module, problem: str, advice: str, path: str = "") -> Found:
    """Find all tensors of `encoder` in the content of a file, in any layout that `find_encoder` supports.

    Args:
        content: the content of the file.
        encoder: the encoder to find.
        problem: start of the message of an error.
        advice: end of the message of an error.
        path: prefix of the tensors' names in messages.

    Returns:
        The tensors by the names of the encoder.

    Raises:
        UserError: A tensor is missing, has another shape or is not finite, or the file has a larger encoder.
    """
    found, expected = find_encoder(content, encoder, problem, advice), encoder.state_dict()
    other = resnet_name(found.tensors)
    if other and other != resnet_name(expected):
        problem += f" (it looks like a {other})"
    if found.prefix:
        problem += f" (tensors under {found.prefix!r})"
    tensors = {f"{path}{name}": tensor for name, tensor in found.tensors.items()}
    check_match(tensors, {f"{path}{name}": tensor for name, tensor in expected.items()}, problem, advice)
    return replace(found, tensors={name.removeprefix(path): tensor for name, tensor in tensors.items()})


def _tensors(network: nn.Module, parts: tuple[str, ...]) -> dict[str, Tensor]:
    prefixes = tuple(f"{part}." for part in parts)
    return {name: tensor for name, tensor in network.state_dict().items() if name.startswith(prefixes)}


def _published_tensors(content: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """The tensors of the published trainer's `model.pth`, by the names of `Byol`."""
    tensors = {}
    for key, prefix in ((ONLINE, ""), (TARGET, "target.")):
        if not isinstance(content.get(key), Mapping):
            raise UserError(f"{source} lacks {key}: expected a complete model.pth of the published trainer")
        for name, tensor in content[key].items():
            tensors[prefix + _our_name(name)] = tensor
    return tensors


def _our_name(name: str) -> str:
    if name.startswith(PUBLISHED_PROJECTOR):
        return "projector." + name.removeprefix(PUBLISHED_PROJECTOR)
    child, _, rest = name.removeprefix(PUBLISHED_ENCODER).partition(".")
    return f"encoder.{CHILDREN.get(child, child)}.{rest}"


def check_match(given: dict[str, Any], expected: Mapping[str, Tensor], problem: str, advice: str) -> None:
    """Check that `given` has exactly the tensors of `expected`; missing BatchNorm counters are added to it.

    Raises:
        UserError: A tensor is missing, unknown or not finite, or has another shape. The message starts with `problem`
            and ends with `advice`.
    """
    for name, tensor in expected.items():
        if name.endswith(COUNTER):
            given.setdefault(name, torch.zeros_like(tensor))
    missing, unknown = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    if missing or unknown:
        found = [f"{len(missing)} tensors are missing ({missing[0]} …)"] if missing else []
        found += [f"{len(unknown)} are unknown to it ({unknown[0]} …)"] if unknown else []
        raise UserError(f"{problem}: {' and '.join(found)}; {advice}")
    for name, tensor in expected.items():
        shape = tuple(given[name].shape) if isinstance(given[name], Tensor) else type(given[name]).__name__
        if shape != tuple(tensor.shape):
            raise UserError(
                f"{problem}: {name} has shape {shape} in the file, expected {tuple(tensor.shape)}; {advice}"
            )
    for name in expected:
        if not name.endswith(COUNTER):
            float32_weights(name, given[name], problem, "use a file with finite weights")


def check_timm_name(name: str, parameter: str, otherwise: str = "") -> None:
    """Check the name of an architecture of timm, with or without a tag.

    Raises:
        UserError: timm does not know the name. The message names `parameter` and ends with `otherwise`.
    """
    if not is_timm_name(name):
        close = ", ".join(close_names(name, _timm_names(), most=3)) or "resnet18.tv_in1k"
        raise UserError(
            f"{parameter}: timm has no weights {name!r}; close names: {close} (all: timm.list_pretrained()){otherwise}"
        )


def is_timm_name(name: str) -> bool:
    """Whether timm has an architecture `name`, or weights of that name, `architecture.tag`."""
    return name in _timm_names()


def _timm_names() -> set[str]:
    import timm  # noqa: PLC0415  # takes seconds to import

    return {*timm.list_models(), *timm.list_pretrained()}


def hub_repository(name: str) -> str | None:
    """The Hugging Face repository of timm's weights `name`, or None if there is none."""
    import timm  # noqa: PLC0415  # takes seconds to import

    config = timm.models.get_pretrained_cfg(name)
    return config.hf_hub_id if config else None


def pretrained_encoder(
    name: str,
    weights: Mapping[str, Any],
    source: str,
    *,
    stem: str = "imagenet",
    image_size: int | None = None,
    quiet: bool = False,
) -> nn.Module:
    """Build timm's network `name` without its classifier, with the weights of a file, in evaluation mode.

    If the file has more than a state dict and its classifier, a line is logged that says what was used.

    Args:
        name: name of the architecture in timm, with or without a tag.
        weights: the content of a file in any layout that `find_encoder` supports.
        source: name of the file in messages.
        stem: stem of a ResNet, as in `create_encoder`.
        image_size: side of the images, for architectures that are built for one size.
        quiet: whether to log nothing.

    Raises:
        UserError: The network cannot be built, a tensor is missing or has another shape, or the file has a larger
            network.
    """
    architecture = name.partition(".")[0]
    model = create_encoder(architecture, stem, False, 0, image_size=image_size)  # the initial weights are overwritten
    advice = f"use weights of {name} by timm's names, as in timm.create_model({name!r}).state_dict()"
    found = match_encoder(weights, model, f"{source} is not a {name}", advice)
    model.load_state_dict(found.tensors)
    if found.note() and not quiet:
        logger.info("%s: %s", source, found.note())
    return model.eval()
