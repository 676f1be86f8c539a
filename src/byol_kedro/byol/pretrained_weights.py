"""Weights of another training as the start of this one."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from byol_kedro.byol.features import Transform
from byol_kedro.byol.finite import check_finite
from byol_kedro.byol.layouts import COUNTER, Found, find_encoder, looks_like
from byol_kedro.byol.method import Method
from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

ONLINE, TARGET = "online_network_state_dict", "target_network_state_dict"
# The replaced trainer (sthalles/PyTorch-BYOL) kept torchvision's ResNet as a Sequential of its children.
CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
THEIR_ENCODER, THEIR_PROJECTOR = "encoder.", "projetion.net."  # the spelling is theirs
ADVICE = "set pretrain.encoder.name, pretrain.encoder.stem and pretrain.heads to those of the file"
logger = get_logger(__name__)


@dataclass(frozen=True)
class TakenOver:
    """What was taken over, and in words what starts anew and what of the file was taken (see `Found.told`)."""

    parts: tuple[str, ...]
    anew: str
    told: str = ""


def take_over(network: Method, content: Mapping[str, Any], source: str) -> TakenOver:
    """Puts the weights of a file into `network`; the target starts where the online network does, or where it was.

    `content` holds an encoder by timm's or torchvision's names in any layout that `find_encoder` knows, or is the
    replaced trainer's `model.pth`: a dict with a state dict of the online and one of the target network, each of
    encoder and projector. `source` is what messages call it.

    Raises:
        UserError: a tensor of the network is missing there, has another shape, or one there is unknown to it.
    """
    fault = f"{source} does not fit this network"
    if ONLINE in content or TARGET in content:
        taken = TakenOver(("encoder", "projector", "target"), "the predictor, which it does not hold")
        given = _theirs(content, source)
        check_fit(given, _tensors(network, taken.parts), fault, ADVICE)
    else:
        found = fitting_encoder(content, network.encoder, fault, ADVICE, "encoder.")
        taken = TakenOver(("encoder", "target.encoder"), "projector and predictor", found.told())
        given = {f"{part}.{name}": tensor for part in taken.parts for name, tensor in found.tensors.items()}
    network.load_state_dict({**network.state_dict(), **given})
    return taken


def fitting_encoder(content: Mapping[str, Any], encoder: nn.Module, fault: str, advice: str, above: str = "") -> Found:
    """All tensors of `encoder` from the content of a file in any layout that `find_encoder` knows.

    `above` comes before their names in messages.

    Raises:
        UserError: `fault`, what it is, `advice`: one is missing, has another shape or is not finite, or the file holds
            a larger encoder.
    """
    found, expected = find_encoder(content, encoder, fault, advice), encoder.state_dict()
    other = looks_like(found.tensors)
    if other and other != looks_like(expected):
        fault += f" (it looks like a {other})"
    if found.prefix:
        fault += f" (tensors under {found.prefix!r})"
    given = {f"{above}{name}": tensor for name, tensor in found.tensors.items()}
    check_fit(given, {f"{above}{name}": tensor for name, tensor in expected.items()}, fault, advice)
    return replace(found, tensors={name.removeprefix(above): tensor for name, tensor in given.items()})


def _tensors(network: nn.Module, parts: tuple[str, ...]) -> dict[str, Tensor]:
    prefixes = tuple(f"{part}." for part in parts)
    return {name: tensor for name, tensor in network.state_dict().items() if name.startswith(prefixes)}


def _theirs(content: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Our names of the tensors in `model.pth`."""
    given = {}
    for key, prefix in ((ONLINE, ""), (TARGET, "target.")):
        if not isinstance(content.get(key), Mapping):
            raise UserError(f"{source} lacks {key}: a whole model.pth of the replaced trainer is expected")
        for name, tensor in content[key].items():
            given[prefix + _our_name(name)] = tensor
    return given


def _our_name(name: str) -> str:
    if name.startswith(THEIR_PROJECTOR):
        return "projector." + name.removeprefix(THEIR_PROJECTOR)
    child, _, rest = name.removeprefix(THEIR_ENCODER).partition(".")
    return f"encoder.{CHILDREN.get(child, child)}.{rest}"


def check_fit(given: dict[str, Any], expected: Mapping[str, Tensor], fault: str, advice: str) -> None:
    """Fills in the counters that are missing; everything else has to be there, and finite, and nothing more.

    Raises:
        UserError: `fault`, what it is, `advice`.
    """
    for name, tensor in expected.items():
        if name.endswith(COUNTER):
            given.setdefault(name, torch.zeros_like(tensor))
    missing, unknown = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    if missing or unknown:
        found = [f"{len(missing)} tensors are missing ({missing[0]} …)"] if missing else []
        found += [f"{len(unknown)} are unknown to it ({unknown[0]} …)"] if unknown else []
        raise UserError(f"{fault}: {' and '.join(found)}; {advice}")
    for name, tensor in expected.items():
        shape = tuple(given[name].shape) if isinstance(given[name], Tensor) else type(given[name]).__name__
        if shape != tuple(tensor.shape):
            raise UserError(f"{fault}: {name} is {shape} there and {tuple(tensor.shape)} here; {advice}")
    check_finite({name: given[name] for name in expected}, f"{fault}:", "give weights that are numbers")


def check_timm_name(name: str, parameter: str) -> None:
    """UserError where timm knows no architecture `name`, or no such tag of it; `parameter` gave the name."""
    import timm  # noqa: PLC0415  # takes seconds to import

    known = {*timm.list_models(), *timm.list_pretrained()}
    if name not in known:
        close = ", ".join(difflib.get_close_matches(name, known, n=3)) or "resnet18.tv_in1k"
        raise UserError(
            f"{parameter}: timm knows no weights {name!r}; close names: {close} (all: timm.list_pretrained())"
        )


def hub_repository(name: str) -> str | None:
    """The repository of timm's weights `name`; None where timm knows none."""
    import timm  # noqa: PLC0415  # takes seconds to import

    config = timm.models.get_pretrained_cfg(name)
    return config.hf_hub_id if config else None


def pretrained_encoder(name: str, weights: Mapping[str, Any], source: str) -> nn.Module:
    """timm's network `name` without its classifier, with weights by timm's names, in evaluation mode.

    `weights` is the content of a file in any layout that `find_encoder` knows; where that is more than a state dict
    with its classifier, a line says what was taken. `source` is what messages call it.

    Raises:
        UserError: a tensor of the network is missing there or has another shape, or those of a larger one are there.
    """
    model, told = _filled(name, weights, source)
    if told:
        logger.info("%s: %s", source, told)
    return model.eval()


def check_weights(name: str, weights: Mapping[str, Any], source: str) -> None:
    """UserError where `pretrained_encoder` raises one; says nothing else."""
    _filled(name, weights, source)


def _filled(name: str, weights: Mapping[str, Any], source: str) -> tuple[nn.Module, str]:
    """The network with its weights, and what of them was taken where there is something to say of it."""
    import timm  # noqa: PLC0415  # takes seconds to import

    with seeded(0):  # whatever it starts at is loaded over
        model: nn.Module = timm.create_model(name, num_classes=0, pretrained=False)
    advice = f"give weights of {name} by timm's names, as timm.create_model({name!r}).state_dict() has them"
    found = fitting_encoder(weights, model, f"{source} is no {name}", advice)
    model.load_state_dict(found.tensors)
    return model, found.told()


def own_transform(model: nn.Module) -> Transform:
    """What the network's authors do to an image: resize, crop to its input size, normalize (timm's metadata)."""
    from timm.data.config import resolve_model_data_config  # noqa: PLC0415  # takes seconds to import
    from timm.data.transforms_factory import create_transform  # noqa: PLC0415

    config = resolve_model_data_config(model)  # type: ignore[no-untyped-call]  # timm has no types there
    transform: Transform = create_transform(**config, is_training=False)
    return transform
