"""The literature's linear evaluation on frozen features: SGD, the learning rate swept on a part of train."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, Fit, Labels, stratified_split
from byol_kedro.evaluation.probes.linear import linear_probabilities, start_linear
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import LinearSgd


@one_thread()
def linear_sgd(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "LinearSgd", seed: int
) -> Fit:
    """Standardize on train, choose the rate of `params.lrs` on a stratified part of train, train anew on all of it.

    Cross entropy, SGD with momentum, no weight decay (2006.07733, appendix C.1, whose momentum is Nesterov's), the
    rate on a cosine to 0, as in its authors' code.
    train_x (N, D), test_x (M, D) float32; train_y (N,) int64. Of several rates that do equally well the smallest
    is taken. Weights: `mean`, `scale` (D,), `weight` (n_classes, D), `bias` (n_classes,). Chosen: `lr`.
    """
    scaler = Scaler.fit(train_x)
    inputs = F.pad(torch.from_numpy(scaler(train_x)), (0, 1), value=1.0)  # (N, D + 1)
    targets = F.one_hot(torch.from_numpy(train_y), n_classes).float()
    fit, choose = (torch.from_numpy(rows) for rows in stratified_split(train_y, params.validation, seed))
    lrs = sorted(params.lrs)
    layers = train_heads(inputs[fit], targets[fit], lrs, params, seed)
    right = (inputs[choose] @ layers.mT).argmax(dim=2) == targets[choose].argmax(dim=1)  # (rates, rows)
    best = lrs[int(np.argmax(right.float().mean(dim=1).numpy()))]
    (layer,) = train_heads(inputs, targets, [best], params, seed).numpy()
    weights = {
        "mean": scaler.mean,
        "scale": scaler.scale,
        "weight": np.ascontiguousarray(layer[:, :-1]),
        "bias": np.ascontiguousarray(layer[:, -1]),
    }
    return Fit(linear_probabilities(test_x, weights), weights, {"lr": best})


@torch.no_grad()
def train_heads(
    inputs: torch.Tensor, targets: torch.Tensor, lrs: list[float], params: "LinearSgd", seed: int
) -> torch.Tensor:
    """One layer for each rate, (L, C, D + 1) float32, from inputs (N, D + 1) and one-hot targets (N, C).

    All start alike and see the same batches, so that one matrix product serves all of them, and each is what it
    would be if it were trained alone. The last batch of an epoch may be smaller.
    """
    generator = torch.Generator().manual_seed(seed)
    weight, bias = start_linear(inputs.shape[1] - 1, targets.shape[1], generator)
    start = torch.cat([weight, bias[:, None]], dim=1)
    rates = torch.tensor(lrs)[:, None, None]
    layers = start.repeat(len(lrs), 1, 1)  # (L, C, D + 1), the bias last
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
