"""In how many directions the projections of different pictures spread."""

import torch
from torch import Tensor, nn

from byol_kedro.byol.features import evaluating

EPSILON = 1e-7  # Garrido et al. 2022 (2210.02885), §3.1


def effective_rank(vectors: Tensor) -> float:
    """exp of the entropy of the singular values of (N, D) vectors, as shares of their sum.

    From 1 (all on one line, as after a collapse) to min(N, D) (all directions alike): RankMe, Garrido et al. 2022
    (2210.02885), equation 2. It is no larger than N, so compare only values over as many pictures.
    """
    singular = torch.linalg.svdvals(vectors.double())
    shares = singular / singular.sum().clamp_min(torch.finfo(singular.dtype).tiny) + EPSILON
    return float(torch.exp(-(shares * shares.log()).sum()))


def rank_of_projections(projector: nn.Module, features: Tensor) -> float:
    """The effective rank after a projector in evaluation mode; features are (N, feature_dim) float32."""
    device = next(projector.parameters()).device
    with torch.inference_mode(), evaluating(projector):
        return effective_rank(projector(features.to(device)).cpu())
