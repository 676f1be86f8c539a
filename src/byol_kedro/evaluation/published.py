"""The logistic regression of the published STL-10 table: one linear layer trained by Adam."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from byol_kedro.evaluation.fit import Features, Fit, Labels
from byol_kedro.evaluation.linear import linear_probabilities, start_linear
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import Published

# Adam's defaults (Kingma and Ba, arXiv 1412.6980, §2), which the table used.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


@one_thread()
def published(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "Published", seed: int
) -> Fit:
    """Standardise on train, then cross entropy and Adam over `params.epochs`; the last epoch counts.

    train_x (N, D), test_x (M, D) float32; train_y (N,) int64. The last batch of an epoch may be smaller.
    Weights: `mean`, `scale` (D,), `weight` (n_classes, D), `bias` (n_classes,).
    """
    generator = torch.Generator().manual_seed(seed)
    scaler = Scaler.fit(train_x)
    weight, bias = start_linear(train_x.shape[1], n_classes, generator)
    layer = torch.cat([weight, bias[:, None]], dim=1)  # (n_classes, D + 1), the bias last
    inputs = F.pad(torch.from_numpy(scaler(train_x)), (0, 1), value=1.0)  # (N, D + 1)
    targets = F.one_hot(torch.from_numpy(train_y), n_classes).float()
    _train(layer, inputs, targets, params, generator)
    weights = {
        "mean": scaler.mean,
        "scale": scaler.scale,
        "weight": layer[:, :-1].contiguous().numpy(),
        "bias": layer[:, -1].contiguous().numpy(),
    }
    return Fit(linear_probabilities(test_x, weights), weights)


@torch.no_grad()
def _train(
    layer: torch.Tensor,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    params: "Published",
    generator: torch.Generator,
) -> None:
    """Train layer (C, D + 1) in place on inputs (N, D + 1) and one-hot targets (N, C).

    Written out, because autograd and torch.optim cost more than the arithmetic of so small a layer.
    """
    mean, square = torch.zeros_like(layer), torch.zeros_like(layer)
    step = 0
    for _ in range(params.epochs):
        order = torch.randperm(len(inputs), generator=generator)
        batches = (torch.split(rows[order], params.batch_size) for rows in (inputs, targets))
        for x, target in zip(*batches, strict=True):
            step += 1
            # Gradient of the mean cross entropy of softmax(x Wᵀ): (p - y)ᵀ x / B.
            gradient = (torch.softmax(x @ layer.T, dim=1) - target).T @ x / len(x)
            # Kingma and Ba, algorithm 1.
            mean.lerp_(gradient, 1 - BETA_1)
            square.mul_(BETA_2).addcmul_(gradient, gradient, value=1 - BETA_2)
            deviation = (square / (1 - BETA_2**step)).sqrt_().add_(EPSILON)
            layer.addcdiv_(mean, deviation, value=-params.lr / (1 - BETA_1**step))
