"""BYOL's loss and the figure that shows a collapse."""

import torch.nn.functional as F
from torch import Tensor


def byol_loss(predictions: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """Each view's prediction against the target's projection of the OTHER view: a float32 scalar in [0, 8].

    2 - 2·cos(prediction, target), both ways, mean over the batch: paper (2006.07733), equation 2 and the
    line below it. All four are (N, projection_dim), ordered first view, second view; any float dtype,
    computed in float32. No gradient flows to the targets.
    """
    first, second = predictions
    of_first, of_second = targets
    return _distance(first, of_second) + _distance(second, of_first)


def _distance(prediction: Tensor, target: Tensor) -> Tensor:
    cosine = (_unit(prediction) * _unit(target.detach())).sum(dim=1)  # (N,)
    return (2 - 2 * cosine).mean()


def feature_std(projection: Tensor) -> Tensor:
    """Standard deviation over the batch of L2-normalized projections (N, D), mean over the D dimensions.

    A float32 scalar without gradient: 0 where all images give one vector (collapse), about 1/√D where
    they spread over the whole sphere (Chen & He 2021, 2011.10566, §4.1).
    """
    return _unit(projection.detach()).std(dim=0, correction=0).mean()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=1)
