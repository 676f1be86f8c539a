"""The linear probe of the published STL-10 table: one linear layer trained with Adam."""

import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, FittedProbe, Labels, LinearAdam
from byol_kedro.evaluation.probes.linear import init_layer, linear_arrays, linear_probabilities, with_bias_column
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

# Adam's defaults (Kingma and Ba, arXiv 1412.6980, section 2), which the table used.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

predict = linear_probabilities


@one_thread()
def fit(x: Features, y: Labels, n_classes: int, params: LinearAdam, seed: int) -> FittedProbe:
    """Standardize, then minimize the cross entropy with Adam for `params.epochs` epochs; the last epoch counts.

    The last batch of an epoch may be smaller.

    Args:
        x: Training features, (N, D) float32.
        y: Their labels, (N,) int64.
        n_classes: Number of classes.
        params: Block of parameters.
        seed: The first seed; `repeats` has the `params.seeds` - 1 that follow.

    Returns:
        `mean`, `scale` (D,), `weight` (n_classes, D) and `bias` (n_classes,).
    """
    scaler = Scaler.fit(x)
    targets = F.one_hot(torch.from_numpy(y), n_classes).float()
    seeds = [seed + s for s in range(params.seeds)]
    first, *repeats = (
        linear_arrays(scaler, layer) for layer in train_layers(with_bias_column(scaler(x)), targets, params, seeds)
    )
    return FittedProbe(first, repeats=tuple(repeats))


@torch.no_grad()
def train_layers(inputs: torch.Tensor, targets: torch.Tensor, params: LinearAdam, seeds: list[int]) -> torch.Tensor:
    """Train one layer for each seed, (S, C, D + 1) with the bias last.

    Each seed has its own initialization and its own order of the rows, so its layer is the one that it would give
    alone. They are trained side by side because one step is so small that the call costs more than the arithmetic; for
    the same reason neither autograd nor torch.optim is used.

    Args:
        inputs: Standardized features with a column of ones, (N, D + 1).
        targets: One-hot labels, (N, C).
        params: Block of parameters.
        seeds: S seeds.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    layers = torch.stack([init_layer(inputs.shape[1] - 1, targets.shape[1], generator) for generator in generators])
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
