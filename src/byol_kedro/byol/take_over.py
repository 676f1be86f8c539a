"""Weights of another training as the start of this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from byol_kedro.byol.networks import Byol
from byol_kedro.errors import UserError
from byol_kedro.finite import check_finite

ONLINE, TARGET = "online_network_state_dict", "target_network_state_dict"
# The replaced trainer (sthalles/PyTorch-BYOL) kept torchvision's ResNet as a Sequential of its children.
CHILDREN = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
THEIR_ENCODER, THEIR_PROJECTOR = "encoder.", "projetion.net."  # the spelling is theirs
COUNTER = "num_batches_tracked"  # older files of torchvision lack it; nothing here reads it
ADVICE = "set pretrain.encoder.name, pretrain.encoder.stem and pretrain.heads to those of the file"


@dataclass(frozen=True)
class TakenOver:
    """What was taken over, and in words what starts anew."""

    parts: tuple[str, ...]
    anew: str


def take_over(network: Byol, content: Mapping[str, Any], source: str) -> TakenOver:
    """Puts the weights of a file into `network`; the target starts where the online network does, or where it was.

    `content` is a state dict of an encoder by timm's or torchvision's names, with or without a classifier, or the
    replaced trainer's `model.pth`: a dict with a state dict of the online and one of the target network, each of
    encoder and projector. `source` is what messages call it.

    Raises:
        UserError: a tensor of the network is missing there, has another shape, or one there is unknown to it.
    """
    if ONLINE in content or TARGET in content:
        parts: tuple[str, ...] = ("encoder", "projector", "target")
        given = _theirs(content, source)
        anew = "the predictor, which it does not hold"
    else:
        parts, anew = ("encoder", "target.encoder"), "projector and predictor"
        encoder = without_classifier(content, network.encoder)
        given = {f"{part}.{name}": tensor for part in parts for name, tensor in encoder.items()}
    expected = {name: t for name, t in network.state_dict().items() if name.startswith(tuple(f"{p}." for p in parts))}
    check_fit(given, expected, f"{source} does not fit this network", ADVICE)
    network.load_state_dict({**network.state_dict(), **given})
    return TakenOver(parts, anew)


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


def without_classifier(content: Mapping[str, Any], encoder: Any) -> dict[str, Any]:
    """A state dict of a timm network without the tensors of its classifier, which timm's metadata name."""
    named = getattr(encoder, "pretrained_cfg", {}).get("classifier") or ()
    classifiers = (named,) if isinstance(named, str) else tuple(named)
    prefixes = tuple(f"{classifier}." for classifier in (*classifiers, "fc"))
    return {name: value for name, value in content.items() if not name.startswith(prefixes)}


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
