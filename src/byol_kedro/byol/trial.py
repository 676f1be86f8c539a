"""One pass of an architecture through images of a size, before anything is made that depends on it."""

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from byol_kedro.byol.networks import create_encoder, feature_dim, in_one_line
from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import Encoder

IMAGES = 2  # the fewest that BatchNorm takes where nothing is left of the image but one pixel


def check_trains(encoder: "Encoder", image_size: int) -> int:
    """Whether BYOL can train this network on images of `image_size` × `image_size` pixels; on the CPU, in float32.

    Gives the number of features of an image.

    Raises:
        UserError: from `create_encoder`; a pass forward or backward fails in training mode, the features are not
            (N, D) or not finite, or the passes draw random numbers, which no checkpoint holds.
    """
    network = create_encoder(encoder.name, encoder.stem, encoder.zero_init_residual, 0, image_size=image_size)
    try:
        fault = _fault(network.to(memory_format=torch.channels_last).train(), image_size)
    except Exception as error:
        raise UserError(_refusal(encoder.name, image_size, in_one_line(error))) from error
    if fault:
        raise UserError(_refusal(encoder.name, image_size, fault))
    return feature_dim(network)


def _fault(network: nn.Module, image_size: int) -> str:
    """What is wrong with a pass of `network` forward and backward, empty where nothing is."""
    copy.deepcopy(network)  # the target network is one
    with seeded(0) as generator:
        images = torch.rand(IMAGES, 3, image_size, image_size)
        generator.drew = False
        features: Any = network(images.contiguous(memory_format=torch.channels_last))
        expected = IMAGES, feature_dim(network)
        if not isinstance(features, torch.Tensor) or features.shape != expected:
            found = tuple(features.shape) if isinstance(features, torch.Tensor) else f"a {type(features).__name__}"
            return f"it gives {found} for {IMAGES} images, features {expected} are expected"
        features.square().mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if generator.drew:
            return "it draws random numbers as it is trained, so that no training could be repeated or resumed"
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if not all(tensor.isfinite().all() for tensor in (features, *gradients)):
        return "its features or their gradients are not finite"
    return ""


def _refusal(name: str, size: int, fault: str) -> str:
    return (
        f"pretrain.encoder.name: {name} cannot be trained on images of {size} × {size} pixels: {fault}; "
        "take another architecture or another ingest.image_size"
    )
