"""The pair model: an MLP applied to both images of a pair; the distance of its outputs predicts the target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from byol_kedro.byol.finite import check_features, check_finite, float32_weights
from byol_kedro.errors import UserError
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.pairs import chunks

Array = NDArray[np.float32]

DIVERGED = "its training has diverged: lower pair_model.lr, or give other weights in pair_model.weights_from"
# Tensors of a saved pair model besides its layers.
SCALING = {"mean", "scale", "target_offset", "target_scale"}
LAYOUT = "linear1.weight (out, in) and linear1.bias (out,), linear2.… and so on"


@dataclass(frozen=True)
class PairModel:
    """A fitted pair model, which maps features to embeddings.

    A distance d of two embeddings predicts the target `target_offset` + d / `target_scale`.

    Attributes:
        weights: `linear1.weight` (out, in) and `linear1.bias` (out,) float32, `linear2.…` and so on, with ReLU between
            the layers.
        scaler: standardizes the features; fitted on the train images.
        target_offset: target at a distance of 0.
        target_scale: distance per unit of the target.
    """

    weights: Mapping[str, Array]
    scaler: Scaler
    target_offset: float
    target_scale: float

    @property
    def embedding_dim(self) -> int:
        """Dimension of the embeddings: 16, or that of the imported weights."""
        return len(self.weights[f"linear{len(self.weights) // 2}.bias"])

    @property
    def widths(self) -> list[int]:
        """Widths of the hidden layers."""
        return [len(self.weights[f"linear{layer}.bias"]) for layer in range(1, len(self.weights) // 2)]

    def embed(self, features: Array) -> Array:
        """Compute embeddings (N, `embedding_dim`) float32 of features (N, D) float32.

        Raises:
            NotFiniteError: an embedding is not finite or too large (see `check_features`).
        """
        weights = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items()}
        embeddings = np.empty((len(features), self.embedding_dim), np.float32)
        with torch.inference_mode():
            for rows in chunks(len(features)):
                embeddings[rows] = mlp(weights, torch.from_numpy(self.scaler(features[rows]))).numpy()
        check_features(embeddings, "embeddings of the pair model", DIVERGED)
        return embeddings

    def to_arrays(self) -> dict[str, Array]:
        """The whole model as arrays, for `from_arrays`."""
        return {
            **self.weights,
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "target_offset": np.array([self.target_offset], dtype=np.float32),
            "target_scale": np.array([self.target_scale], dtype=np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "PairModel":
        """Restore the model from the arrays of `to_arrays`.

        Raises:
            NotFiniteError: an array holds NaN or infinity.
            UserError: a scale is not above zero.
        """
        check_finite(arrays, "pair_model:", "fit it again, with kedro run --pipelines=pair_model")
        weights = {name: arrays[name] for name in arrays if name.startswith("linear")}
        offset, scale = (float(arrays[name][0]) for name in ("target_offset", "target_scale"))
        if not (arrays["scale"] > 0).all() or scale <= 0:
            raise UserError("pair_model: scale and target_scale have to be above zero; fit the pair model again")
        return cls(weights, Scaler(arrays["mean"], arrays["scale"]), offset, scale)


def mlp(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Forward pass of the layers in `weights`: (N, D) → (N, 16)."""
    last = sum(name.endswith(".weight") for name in weights)
    for layer in range(1, last + 1):
        x = F.linear(x, weights[f"linear{layer}.weight"], weights[f"linear{layer}.bias"])
        if layer < last:
            x = F.relu(x)
    return x


def distance(left: Tensor, right: Tensor) -> Tensor:
    """Euclidean distance of the rows of two tensors (N, 16): (N,)."""
    # The gradient of vector_norm at a distance of 0 is 0, not NaN.
    norms: Tensor = torch.linalg.vector_norm(left - right, dim=1)
    return norms


def pair_model_from_state_dict(weights: Mapping[str, Any], path: str, scaler: Scaler) -> PairModel:
    """Build a pair model from imported weights.

    The published `512_16.pt` contains neither a scaler of the features nor a scale of the target: features are
    standardized by `scaler`, and a distance is the target itself. A `pair_model` of this project contains both.

    Args:
        weights: state dict of the published file, or the tensors of a `pair_model` of this project.
        path: path of the file, for error messages.
        scaler: fitted on the train images.

    Raises:
        UserError: a layer is missing, has the wrong shape, or is not finite.
    """
    layers = check_layers(weights, path, len(scaler.mean))
    if set(weights) >= SCALING:
        own = {name: _array(name, weights[name], path) for name in SCALING}
        return PairModel.from_arrays(layers | own)
    return PairModel(layers, scaler, target_offset=0.0, target_scale=1.0)


def _array(name: str, tensor: Any, path: str) -> Any:
    return float32_weights(name, tensor, f"pair_model.weights_from: {path}", f"expected {LAYOUT}").numpy()


def check_layers(weights: Mapping[str, Any], path: str, feature_dim: int | None = None) -> dict[str, Any]:
    """The layers of a state dict as arrays.

    Args:
        weights: state dict.
        path: path of the file, for error messages.
        feature_dim: number of inputs of the first layer, not checked if None.

    Raises:
        UserError: a layer is missing, has the wrong shape, or is not finite.
    """
    layers = {name: _array(name, tensor, path) for name, tensor in weights.items() if name not in SCALING}
    count = len(layers) // 2
    expected = {f"linear{i}.{part}" for i in range(1, count + 1) for part in ("weight", "bias")}
    if not layers or set(layers) != expected:
        found = ", ".join(sorted(layers)[:4]) or "nothing"
        raise UserError(f"pair_model.weights_from: {path} holds {found}; expected {LAYOUT}")
    width = feature_dim
    for i in range(1, count + 1):
        shape, bias = (tuple(np.shape(layers[f"linear{i}.{part}"])) for part in ("weight", "bias"))
        if len(shape) != 2 or width not in (None, shape[1]) or bias != shape[:1]:
            inputs = "features have" if i == 1 else f"linear{i - 1} gives"
            raise UserError(
                f"pair_model.weights_from: {path} has linear{i}.weight {shape} and linear{i}.bias {bias}, but the "
                f"{inputs} {width} numbers; use the encoder that the weights were fitted with"
            )
        width = shape[0]
    return layers
