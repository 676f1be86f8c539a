"""Linear evaluation as in the literature: SGD, the learning rate chosen on a validation part of train.

Grill et al., arXiv 2006.07733, appendix C.1, with Nesterov momentum there; the cosine schedule is that of their code.
"""

import numpy as np
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, FittedProbe, Labels, LinearSgd, stratified_split
from byol_kedro.evaluation.probes.linear import init_layer, linear_arrays, linear_probabilities, with_bias_column
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

predict = linear_probabilities


@one_thread()
def fit(x: Features, y: Labels, n_classes: int, params: LinearSgd, seed: int) -> FittedProbe:
    """Standardize, choose the learning rate on a validation part, and train again on all training images.

    The loss is the cross entropy. SGD has momentum, no weight decay, and a learning rate that decays to 0 by a cosine.

    Args:
        x: Training features, (N, D) float32.
        y: Their labels, (N,) int64.
        n_classes: Number of classes.
        params: Block of parameters.
        seed: Seed of the split, the initialization and the batches.

    Returns:
        `mean`, `scale` (D,), `weight` (n_classes, D) and `bias` (n_classes,). `chosen` has `lr`, the smallest of
        equally good ones.
    """
    scaler = Scaler.fit(x)
    inputs = with_bias_column(scaler(x))  # (N, D + 1)
    targets = F.one_hot(torch.from_numpy(y), n_classes).float()
    train, validation = (torch.from_numpy(rows) for rows in stratified_split(y, params.validation, seed))
    lrs = sorted(params.lrs)
    layers = train_layers(inputs[train], targets[train], lrs, params, seed)
    correct = (inputs[validation] @ layers.mT).argmax(dim=2) == targets[validation].argmax(dim=1)  # (rates, rows)
    best = lrs[int(np.argmax(correct.float().mean(dim=1).numpy()))]
    (layer,) = train_layers(inputs, targets, [best], params, seed)
    return FittedProbe(linear_arrays(scaler, layer), {"lr": best})


@torch.no_grad()
def train_layers(
    inputs: torch.Tensor, targets: torch.Tensor, lrs: list[float], params: LinearSgd, seed: int
) -> torch.Tensor:
    """Train one layer for each learning rate, (L, C, D + 1) with the bias last.

    All layers have the same initialization and the same batches. One matrix product then serves all of them, and each
    is the one that training with its rate alone would give. The last batch of an epoch may be smaller.

    Args:
        inputs: Standardized features with a column of ones, (N, D + 1).
        targets: One-hot labels, (N, C).
        lrs: L learning rates.
        params: Block of parameters.
        seed: Seed of the initialization and the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    initial = init_layer(inputs.shape[1] - 1, targets.shape[1], generator)
    rates = torch.tensor(lrs)[:, None, None]
    layers = initial.repeat(len(lrs), 1, 1)  # (L, C, D + 1)
    momentum = torch.zeros_like(layers)
    steps, step = params.epochs * -(-len(inputs) // params.batch_size), 0
    for _ in range(params.epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for rows in torch.split(order, params.batch_size):
            x, target = inputs[rows], targets[rows]
            logits = (x @ layers.flatten(0, 1).T).view(len(rows), *layers.shape[:2])  # (B, L, C)
            error = (torch.softmax(logits, dim=2) - target[:, None]) / len(rows)
            momentum.mul_(params.momentum).add_((error.flatten(1).T @ x).view_as(layers))
            cosine = (1 + np.cos(np.pi * step / steps)) / 2
            layers.sub_(rates * cosine * momentum)
            step += 1
    return layers
