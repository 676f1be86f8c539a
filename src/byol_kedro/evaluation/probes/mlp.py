"""A perceptron with one hidden layer, stopped early."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, Fit, Labels, softmax, stratified_split
from byol_kedro.evaluation.probes.linear import start_linear
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread

if TYPE_CHECKING:
    from byol_kedro.parameters import Mlp

NAMES = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")


@one_thread()
def mlp(train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "Mlp", seed: int) -> Fit:
    """Standardize on train; AdamW on one part of train, the best epoch judged on the other, stratified part.

    train_x (N, D), test_x (M, D) float32; train_y (N,) int64. Training stops after `params.patience` epochs
    without a better top-1. Weights: `mean`, `scale` (D,), `hidden.weight` (H, D), `hidden.bias` (H,),
    `output.weight` (n_classes, H), `output.bias` (n_classes,). Chosen: `epoch`, counted from 1.
    """
    generator = torch.Generator().manual_seed(seed)
    scaler = Scaler.fit(train_x)
    x, y = torch.from_numpy(scaler(train_x)), torch.from_numpy(train_y)
    fit, choose = (torch.from_numpy(rows) for rows in stratified_split(train_y, params.validation, seed))
    layers = [
        *start_linear(train_x.shape[1], params.hidden_dim, generator),
        *start_linear(params.hidden_dim, n_classes, generator),
    ]
    epoch, kept = _train(layers, (x[fit], y[fit]), (x[choose], y[choose]), params, generator)
    arrays = {name: layer.numpy() for name, layer in zip(NAMES, kept, strict=True)}
    weights = {"mean": scaler.mean, "scale": scaler.scale} | arrays
    return Fit(mlp_probabilities(test_x, weights), weights, {"epoch": float(epoch)})


def mlp_probabilities(x: Features, weights: dict[str, NDArray[np.float32]]) -> Features:
    """Class probabilities (M, n_classes) float32 of raw features x (M, D), by an MLP's `Fit.weights`."""
    standardized = torch.from_numpy(Scaler(weights["mean"], weights["scale"])(x))
    return softmax(_logits(standardized, [torch.from_numpy(weights[name]) for name in NAMES]).numpy())


def _logits(x: torch.Tensor, layers: Sequence[torch.Tensor]) -> torch.Tensor:
    return F.linear(F.linear(x, layers[0], layers[1]).relu(), layers[2], layers[3])


def _train(
    layers: Sequence[torch.Tensor],
    fit: tuple[torch.Tensor, torch.Tensor],
    choose: tuple[torch.Tensor, torch.Tensor],
    params: "Mlp",
    generator: torch.Generator,
) -> tuple[int, list[torch.Tensor]]:
    """The best epoch, from 1, and copies of the layers as they were after it."""
    for layer in layers:
        layer.requires_grad_()
    matrices = {"params": [layer for layer in layers if layer.ndim == 2], "weight_decay": params.weight_decay}
    biases = {"params": [layer for layer in layers if layer.ndim == 1], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([matrices, biases], lr=params.lr)
    best, best_epoch, kept = -1.0, 0, [layer.detach() for layer in layers]
    for epoch in range(1, params.epochs + 1):
        for rows in torch.split(torch.randperm(len(fit[0]), generator=generator), params.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(_logits(fit[0][rows], layers), fit[1][rows]).backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
        with torch.no_grad():
            top1 = float((_logits(choose[0], layers).argmax(dim=1) == choose[1]).float().mean())
        if top1 > best:
            best, best_epoch, kept = top1, epoch, [layer.detach().clone() for layer in layers]
        elif epoch - best_epoch >= params.patience:
            break
    return best_epoch, kept
