"""A latent MLP from a file of weights, instead of a fitted one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from byol_kedro.errors import UserError
from byol_kedro.evaluation.pair_model import PairModel
from byol_kedro.evaluation.pairs import PairSet
from byol_kedro.evaluation.scaler import Scaler

OWN = {"mean", "scale", "target_offset", "target_scale"}
LAYOUT = "linear1.weight (out, in) and linear1.bias (out,), linear2.… and so on"


def imported_pair_model(weights: Mapping[str, Any], path: str, train: PairSet) -> PairModel:
    """The model of a state dict: the published `512_16.pt`, or the tensors of a `latent_mlp` of this project.

    The published file has neither the scaler of its features nor a scale of its target: they are standardised on
    `train.features` (N, D) here, and a distance is the target itself, as it was there.
    Raises UserError when layers are missing, do not fit each other or the features, or hold no numbers.
    """
    layers = check_layers(weights, path, train.features.shape[1])
    if set(weights) >= OWN:
        own = {name: _array(name, weights[name], path) for name in OWN}
        return PairModel.from_arrays(layers | own)
    return PairModel(layers, Scaler.fit(train.features), target_offset=0.0, target_scale=1.0)


def _array(name: str, tensor: Any, path: str) -> Any:
    if not isinstance(tensor, torch.Tensor) or not torch.isfinite(tensor).all():
        raise UserError(f"latent.weights_from: {path} has no finite tensor {name!r}; expected {LAYOUT}")
    return tensor.detach().to(torch.float32).numpy()


def check_layers(weights: Mapping[str, Any], path: str, feature_dim: int | None = None) -> dict[str, Any]:
    """The layers of a state dict as arrays. UserError as `imported_pair_model`; the features may not be known yet."""
    layers = {name: _array(name, tensor, path) for name, tensor in weights.items() if name not in OWN}
    count = len(layers) // 2
    expected = {f"linear{i}.{part}" for i in range(1, count + 1) for part in ("weight", "bias")}
    if not layers or set(layers) != expected:
        found = ", ".join(sorted(layers)[:4]) or "nothing"
        raise UserError(f"latent.weights_from: {path} holds {found}; expected {LAYOUT}")
    width = feature_dim
    for i in range(1, count + 1):
        shape, bias = (tuple(np.shape(layers[f"linear{i}.{part}"])) for part in ("weight", "bias"))
        if len(shape) != 2 or width not in (None, shape[1]) or bias != shape[:1]:
            what = "features have" if i == 1 else f"linear{i - 1} gives"
            raise UserError(
                f"latent.weights_from: {path} has linear{i}.weight {shape} and linear{i}.bias {bias}, but the "
                f"{what} {width} numbers; take the encoder whose features it was fitted to"
            )
        width = shape[0]
    return layers
