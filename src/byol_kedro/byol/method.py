"""BYOL (paper 2006.07733): online network, target network, loss and update of the target.

Training, checkpoints, artifacts and the report use the methods of `Method` only, so that a variant is one more
subclass (docs/extending.md shows one).
"""

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from byol_kedro.byol.networks import feature_dim
from byol_kedro.byol.seeds import HEADS, seeded, stream_seed


class Method(nn.Module, ABC):
    """A method that trains an encoder from two views of each image.

    Attributes:
        encoder: (N, 3, H, W) float32 → features (N, feature_dim). It is what a training is for.
        projector: features → projections (N, projection_dim).
    """

    encoder: nn.Module
    projector: nn.Module

    @abstractmethod
    def loss(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss of a batch, possibly inside autocast.

        Args:
            first: one view of each image, (N, 3, H, W) float32.
            second: another view of the same images.

        Returns:
            The loss, a float32 scalar, and the projections of the first views, (N, projection_dim), whose spread
            shows a collapse.
        """

    def update_target(self, tau: float) -> None:
        """Update the target network, if there is one; called after each step of the optimizer."""


class Byol(Method):
    """The online network (encoder, projector, predictor) and its target (§3.1).

    The heads are initialized from `seed`; the target starts as a copy of encoder and projector.
    """

    def __init__(self, encoder: nn.Module, hidden_dim: int, projection_dim: int, seed: int) -> None:
        """Create the heads for `encoder`, which becomes part of the online network, and the target network."""
        super().__init__()
        self.encoder = encoder
        with seeded(stream_seed(seed, HEADS)):
            self.projector = mlp_head(feature_dim(encoder), hidden_dim, projection_dim)
            self.predictor = mlp_head(projection_dim, hidden_dim, projection_dim)
        self.target = Target(encoder, self.projector)

    def forward(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """The online network: projection and prediction, both (N, projection_dim), of a view (N, 3, H, W)."""
        projection: Tensor = self.projector(self.encoder(view))
        prediction: Tensor = self.predictor(projection)
        return projection, prediction

    def loss(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """`byol_loss` of two views, and the projections of the first."""
        # One pass per view, as in the authors' code: BatchNorm never mixes the two distributions.
        projection, prediction_of_first = self(first)
        _, prediction_of_second = self(second)
        targets = self.target(first), self.target(second)
        return byol_loss((prediction_of_first, prediction_of_second), targets), projection

    @torch.no_grad()
    def update_target(self, tau: float) -> None:
        """ξ ← τ·ξ + (1 - τ)·θ over parameters (equation 1). BatchNorm's buffers are not averaged."""
        online, target = self.moving_pairs
        # One call for all tensors. torch has no public name for it; its own optimizers use it.
        torch._foreach_lerp_(target, online, 1 - tau)

    @cached_property  # walking through the modules takes 1 ms
    def moving_pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters of encoder and projector, and those of the target in the same order."""
        online: list[Tensor] = [*self.encoder.parameters(), *self.projector.parameters()]
        return online, list(self.target.parameters())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile both networks in place, which leaves the names of their weights alone."""
        super().compile(*args, **kwargs)
        self.target.compile(*args, **kwargs)


class Target(nn.Module):
    """Encoder and projector whose weights follow those of the online network. It has no gradient.

    Its BatchNorm buffers are its own and are filled by its own passes.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        """Copy the online encoder and projector."""
        super().__init__()
        self.encoder = copy.deepcopy(encoder)
        self.projector = copy.deepcopy(projector)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, view: Tensor) -> Tensor:
        """Projection (N, projection_dim) of a view (N, 3, H, W)."""
        projection: Tensor = self.projector(self.encoder(view))
        return projection


def byol_loss(predictions: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """Each view's prediction against the target's projection of the other view: a float32 scalar in [0, 8].

    2 - 2·cos(prediction, target) in both directions, mean over the batch (equation 2 and the line below it). All four
    are (N, projection_dim) in any float dtype, ordered first view, second view. No gradient flows to the targets.
    """
    prediction_of_first, prediction_of_second = predictions
    target_of_first, target_of_second = targets
    return _distance(prediction_of_first, target_of_second) + _distance(prediction_of_second, target_of_first)


def _distance(prediction: Tensor, target: Tensor) -> Tensor:
    cosine = (_unit(prediction) * _unit(target.detach())).sum(dim=1)  # (N,)
    return (2 - 2 * cosine).mean()


def _unit(vectors: Tensor) -> Tensor:
    """Vectors (N, D) of any float dtype scaled to length 1, in float32."""
    return F.normalize(vectors.float(), dim=1)


def mlp_head(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU, Linear: (N, in_dim) → (N, out_dim), with no norm after the last.

    §3.3: "this MLP consists in a linear layer with output size 4096 followed by batch normalization, rectified linear
    units, and a final linear layer with output dimension 256".
    """
    return nn.Sequential(
        nn.Linear(in_dim, hidden_dim),
        nn.BatchNorm1d(hidden_dim),
        nn.ReLU(inplace=True),
        nn.Linear(hidden_dim, out_dim),
    )
