"""The logistic regression of the published STL-10 table: one linear layer trained by Adam."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, Fit, Labels
from byol_kedro.evaluation.probes.linear import linear_probabilities, start_linear
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import LinearAdam

# Adam's defaults (Kingma and Ba, arXiv 1412.6980, §2), which the table used.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@one_thread()
def linear_adam(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "LinearAdam", seed: int
) -> Fit:
    """Standardize on train, then cross entropy and Adam over `params.epochs`; the last epoch counts.

    train_x (N, D), test_x (M, D) float32; train_y (N,) int64. The last batch of an epoch may be smaller.
    Weights, those of `seed`: `mean`, `scale` (D,), `weight` (n_classes, D), `bias` (n_classes,). `repeats` are of
    the `params.seeds` - 1 seeds that follow.
    """
    scaler = Scaler.fit(train_x)
    inputs = F.pad(torch.from_numpy(scaler(train_x)), (0, 1), value=1.0)  # (N, D + 1)
    targets = F.one_hot(torch.from_numpy(train_y), n_classes).float()
    layers = train_layers(inputs, targets, params, [seed + s for s in range(params.seeds)])
    fits = [
        {
            "mean": scaler.mean,
            "scale": scaler.scale,
            "weight": layer[:, :-1].contiguous().numpy(),
            "bias": layer[:, -1].contiguous().numpy(),
        }
        for layer in layers
    ]
    first, *repeats = (linear_probabilities(test_x, weights) for weights in fits)
    return Fit(first, fits[0], repeats=tuple(repeats))


@torch.no_grad()
def train_layers(inputs: torch.Tensor, targets: torch.Tensor, params: "LinearAdam", seeds: list[int]) -> torch.Tensor:
    """One layer for each seed, (S, C, D + 1), the bias last, from inputs (N, D + 1) and one-hot targets (N, C).

    Each seed has its own start and its own order of the rows, so that its layer is what it would be alone; they
    are trained side by side because a step of one is so small that calling it costs more than computing it.
    Written out, because autograd and torch.optim cost more than the arithmetic too.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    starts = [start_linear(inputs.shape[1] - 1, targets.shape[1], generator) for generator in generators]
    layers = torch.stack([torch.cat([weight, bias[:, None]], dim=1) for weight, bias in starts])
    mean, square = torch.zeros_like(layers), torch.zeros_like(layers)
    step = 0
    for _ in range(params.epochs):
        order = torch.stack([torch.randperm(len(inputs), generator=generator) for generator in generators])
        for rows in torch.split(order, params.batch_size, dim=1):
            step += 1
            x, target = inputs[rows], targets[rows]  # (S, B, D + 1), (S, B, C)
            # Gradient of the mean cross entropy of softmax(x Wᵀ): (p - y)ᵀ x / B.
            gradient = ((torch.softmax(x @ layers.mT, dim=2) - target) / rows.shape[1]).mT @ x
            # Kingma and Ba, algorithm 1.
            mean.lerp_(gradient, 1 - BETA_1)
            square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
            deviation = (square / (1 - BETA_2**step)).sqrt_().add_(EPSILON)
            layers.addcdiv_(mean, deviation, value=-params.lr / (1 - BETA_1**step))
    return layers
