"""The optimizer, and the parameters with weight decay."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from byol_kedro.parameters import Optimizer

TRUST_COEFFICIENT = 0.001  # LARS: paper (2006.07733), §3.3


def create_optimizer(network: nn.Module, settings: "Optimizer") -> torch.optim.Optimizer:
    """SGD, LARS or AdamW over the parameters of `network` that require a gradient, which excludes a target's.

    The learning rate is set in each training step; `momentum` is AdamW's β₁.
    """
    groups = parameter_groups(network, settings.weight_decay, settings.decay_norms_and_biases)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=(settings.momentum, 0.999))
    return _lars(groups, settings)


def parameter_groups(network: nn.Module, weight_decay: float, decay_norms_and_biases: bool) -> list[dict[str, Any]]:
    """One group, or two: with weight decay, and without it (norms and biases, all parameters of one dimension)."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if decay_norms_and_biases:
        return [{"params": trained, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _lars(groups: Iterable[dict[str, Any]], settings: "Optimizer") -> torch.optim.Optimizer:
    from timm.optim.lars import Lars  # noqa: PLC0415  # timm takes seconds to import

    # timm disables the adaptation for a group without decay. With `always_adapt`, weights keep it at weight_decay 0.
    first, *rest = groups
    adapted = [{**first, "always_adapt": True}, *rest]
    lars: torch.optim.Optimizer = Lars(
        adapted, lr=settings.lr, momentum=settings.momentum, trust_coeff=TRUST_COEFFICIENT
    )
    return lars
