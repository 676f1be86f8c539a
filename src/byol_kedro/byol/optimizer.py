"""The optimizer and which parameters it decays."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from byol_kedro.parameters import Optimizer

TRUST_COEFFICIENT = 0.001  # LARS: paper (2006.07733), §3.3


def create_optimizer(network: nn.Module, settings: "Optimizer") -> torch.optim.Optimizer:
    """SGD, LARS or AdamW over the parameters of `network` that have a gradient: never a target's.

    The rate is set by each training step; `momentum` is AdamW's β₁.
    """
    groups = parameter_groups(network, settings.weight_decay, settings.decay_norms_and_biases)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=(settings.momentum, 0.999))
    return _lars(groups, settings)


def parameter_groups(network: nn.Module, weight_decay: float, decay_norms_and_biases: bool) -> list[dict[str, Any]]:
    """One group, or two: what is decayed, then norms and biases (all of one dimension) without decay."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if decay_norms_and_biases:
        return [{"params": trained, "weight_decay": weight_decay}]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _lars(groups: Iterable[dict[str, Any]], settings: "Optimizer") -> torch.optim.Optimizer:
    from timm.optim.lars import Lars  # noqa: PLC0415  # timm takes seconds to import

    # timm skips the scaling where a group has no decay; said outright, weights keep it at weight_decay 0 too.
    first, *rest = groups
    adapted = [{**first, "always_adapt": True}, *rest]
    lars: torch.optim.Optimizer = Lars(
        adapted, lr=settings.lr, momentum=settings.momentum, trust_coeff=TRUST_COEFFICIENT
    )
    return lars
