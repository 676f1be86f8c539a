"""A trial pass of an architecture, before a run writes anything."""

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from byol_kedro.byol.networks import create_encoder, error_text, feature_dim
from byol_kedro.byol.seeds import seeded
from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import Encoder

IMAGES = 2  # the minimum of BatchNorm on feature maps of one pixel


def check_trainable(encoder: "Encoder", image_size: int, view_size: int | None = None) -> int:
    """Check that BYOL can train an architecture on a CPU in float32.

    Args:
        encoder: the architecture.
        image_size: side of the images in pixels, whose features are computed after the training.
        view_size: side of the views that it is trained on; None: that of the images.

    Returns:
        The number of features per image.

    Raises:
        UserError: see `create_encoder`; or a forward or backward pass on views fails in training mode, or a forward
            pass on images in evaluation mode, the features are not (N, D) or not finite, or the passes draw random
            numbers, which a checkpoint does not restore.
    """
    network = create_encoder(encoder.name, encoder.stem, encoder.zero_init_residual, 0, image_size=image_size)
    view_size = view_size or image_size
    try:
        problem = _problem(network.to(memory_format=torch.channels_last).train(), view_size)
        if not problem and view_size != image_size:
            with torch.inference_mode():
                network.eval()(torch.zeros(IMAGES, 3, image_size, image_size))
    except Exception as error:
        raise UserError(_message(encoder.name, image_size, view_size, error_text(error))) from error
    if problem:
        raise UserError(_message(encoder.name, image_size, view_size, problem))
    return feature_dim(network)


def _problem(network: nn.Module, image_size: int) -> str:
    """The problem of a forward and backward pass of `network`, or an empty string."""
    copy.deepcopy(network)  # as for the target network
    with seeded(0) as generator:
        images = torch.rand(IMAGES, 3, image_size, image_size)
        generator.drew = False
        features: Any = network(images.contiguous(memory_format=torch.channels_last))
        expected = IMAGES, feature_dim(network)
        if not isinstance(features, torch.Tensor) or features.shape != expected:
            found = tuple(features.shape) if isinstance(features, torch.Tensor) else f"a {type(features).__name__}"
            return f"its output for {IMAGES} images is {found}, expected features of shape {expected}"
        features.square().mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if generator.drew:
            return "it draws random numbers in training, so that a training could not be reproduced or resumed"
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    if not all(tensor.isfinite().all() for tensor in (features, *gradients)):
        return "its features or their gradients are not finite"
    return ""


def _message(name: str, image_size: int, view_size: int, problem: str) -> str:
    views = f" with views of {view_size} × {view_size}" if view_size != image_size else ""
    size = "pretrain.views.size, null for views as large as the images" if views else "ingest.image_size"
    return (
        f"pretrain.encoder.name: {name} cannot be trained on images of {image_size} × {image_size} pixels{views}: "
        f"{problem}; use another architecture or another {size}"
    )
