"""A multilayer perceptron with one hidden layer and early stopping."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import (
    ONE_HIDDEN_LAYER,
    Arrays,
    Features,
    FittedProbe,
    Labels,
    Mlp,
    softmax,
    stratified_split,
)
from byol_kedro.evaluation.probes.linear import init_linear
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread
from byol_kedro.files.memory import check_memory

LAYERS = ONE_HIDDEN_LAYER[2:]  # after mean and scale


@one_thread()
def fit(x: Features, y: Labels, n_classes: int, params: Mlp, seed: int) -> FittedProbe:
    """Standardize, then train with AdamW on one part of train; the best epoch on the other, stratified part counts.

    Training stops after `params.patience` epochs without a better top-1.

    Args:
        x: Training features, (N, D) float32.
        y: Their labels, (N,) int64.
        n_classes: Number of classes.
        params: Block of parameters.
        seed: Seed of the split, the initialization and the batches.

    Returns:
        `mean`, `scale` (D,), `hidden.weight` (H, D), `hidden.bias` (H,), `output.weight` (n_classes, H) and
        `output.bias` (n_classes,). `chosen` has `epoch`, counted from 1.

    Raises:
        UserError: The network does not fit into memory.
    """
    check_memory("probes.mlp.hidden_dim", (x.shape[1] + 1) * params.hidden_dim + (params.hidden_dim + 1) * n_classes)
    generator = torch.Generator().manual_seed(seed)
    scaler = Scaler.fit(x)
    inputs, labels = torch.from_numpy(scaler(x)), torch.from_numpy(y)
    train, validation = (torch.from_numpy(rows) for rows in stratified_split(y, params.validation, seed))
    layers = [
        *init_linear(x.shape[1], params.hidden_dim, generator),
        *init_linear(params.hidden_dim, n_classes, generator),
    ]
    epoch, best = _train(
        layers, (inputs[train], labels[train]), (inputs[validation], labels[validation]), params, generator
    )
    arrays = {name: layer.numpy() for name, layer in zip(LAYERS, best, strict=True)}
    return FittedProbe({"mean": scaler.mean, "scale": scaler.scale} | arrays, {"epoch": float(epoch)})


@one_thread()
@np.errstate(over="ignore", invalid="ignore")  # the caller checks the result
def predict(x: Features, arrays: Arrays) -> Features:
    """Class probabilities (M, n_classes) float32 of features x (M, D) float32."""
    standardized = torch.from_numpy(Scaler(arrays["mean"], arrays["scale"])(x))
    return softmax(_logits(standardized, [torch.from_numpy(arrays[name]) for name in LAYERS]).numpy())


def _logits(x: torch.Tensor, layers: Sequence[torch.Tensor]) -> torch.Tensor:
    return F.linear(F.linear(x, layers[0], layers[1]).relu(), layers[2], layers[3])


def _train(
    layers: Sequence[torch.Tensor],
    train: tuple[torch.Tensor, torch.Tensor],
    validation: tuple[torch.Tensor, torch.Tensor],
    params: Mlp,
    generator: torch.Generator,
) -> tuple[int, list[torch.Tensor]]:
    """Return the best epoch, counted from 1, and copies of the layers after it."""
    for layer in layers:
        layer.requires_grad_()
    matrices = {"params": [layer for layer in layers if layer.ndim == 2], "weight_decay": params.weight_decay}
    biases = {"params": [layer for layer in layers if layer.ndim == 1], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([matrices, biases], lr=params.lr)
    best_top1, best_epoch, best = -1.0, 0, [layer.detach() for layer in layers]
    for epoch in range(1, params.epochs + 1):
        for rows in torch.split(torch.randperm(len(train[0]), generator=generator), params.batch_size):
            optimizer.zero_grad()
            F.cross_entropy(_logits(train[0][rows], layers), train[1][rows]).backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
        with torch.no_grad():
            top1 = float((_logits(validation[0], layers).argmax(dim=1) == validation[1]).float().mean())
        if top1 > best_top1:
            best_top1, best_epoch, best = top1, epoch, [layer.detach().clone() for layer in layers]
        elif epoch - best_epoch >= params.patience:
            break
    return best_epoch, best
