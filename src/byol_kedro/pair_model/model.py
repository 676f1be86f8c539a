"""The latent MLP: one network on both images of a pair, whose outputs lie as far apart as the target says."""

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
from byol_kedro.pair_model.pairs import pieces

Array = NDArray[np.float32]

INSTEAD = "its training has diverged: lower pair_model.lr, or give other weights in pair_model.weights_from"
OWN = {"mean", "scale", "target_offset", "target_scale"}
LAYOUT = "linear1.weight (out, in) and linear1.bias (out,), linear2.… and so on"


@dataclass(frozen=True)
class PairModel:
    """A fitted latent MLP: all that turns features into latent vectors.

    weights: `linear1.weight` (out, in) and `linear1.bias` (out,) float32, `linear2.…` and so on, with ReLU
    between; scaler: of the features of the train images. A distance d says that the target is
    `target_offset` + d / `target_scale`.
    """

    weights: Mapping[str, Array]
    scaler: Scaler
    target_offset: float
    target_scale: float

    @property
    def dimension(self) -> int:
        """Of a latent vector: 16, or what an imported file has."""
        return len(self.weights[f"linear{len(self.weights) // 2}.bias"])

    @property
    def widths(self) -> list[int]:
        """Of the hidden layers."""
        return [len(self.weights[f"linear{layer}.bias"]) for layer in range(1, len(self.weights) // 2)]

    def vectors(self, features: Array) -> Array:
        """Latent vectors (N, `dimension`) float32 of features (N, D) float32.

        Raises:
            NotFiniteError: some of them are no numbers, or too large (see `check_features`).
        """
        weights = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items()}
        vectors = np.empty((len(features), self.dimension), np.float32)
        with torch.inference_mode():
            for rows in pieces(len(features)):
                vectors[rows] = embed(weights, torch.from_numpy(self.scaler(features[rows]))).numpy()
        check_features(vectors, "latent vectors of the pair model", INSTEAD)
        return vectors

    def to_arrays(self) -> dict[str, Array]:
        """Everything as arrays, for `from_arrays`."""
        return {
            **self.weights,
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "target_offset": np.array([self.target_offset], dtype=np.float32),
            "target_scale": np.array([self.target_scale], dtype=np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "PairModel":
        """The model that `to_arrays` was called on. UserError where it holds NaN or infinity."""
        check_finite(arrays, "pair_model:", "fit it again, with kedro run --pipelines=pair_model")
        weights = {name: arrays[name] for name in arrays if name.startswith("linear")}
        offset, scale = (float(arrays[name][0]) for name in ("target_offset", "target_scale"))
        if not (arrays["scale"] > 0).all() or scale <= 0:
            raise UserError(f"pair_model: scale and target_scale are divided by, and one is not above zero; {INSTEAD}")
        return cls(weights, Scaler(arrays["mean"], arrays["scale"]), offset, scale)


def embed(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """(N, D) → (N, 16)."""
    last = sum(name.endswith(".weight") for name in weights)
    for layer in range(1, last + 1):
        x = F.linear(x, weights[f"linear{layer}.weight"], weights[f"linear{layer}.bias"])
        if layer < last:
            x = F.relu(x)
    return x


def distance(left: Tensor, right: Tensor) -> Tensor:
    """(N, 16) twice → (N,). `vector_norm`, because its gradient at a distance of 0 is 0 and not NaN."""
    norms: Tensor = torch.linalg.vector_norm(left - right, dim=1)
    return norms


def imported_pair_model(weights: Mapping[str, Any], path: str, scaler: Scaler) -> PairModel:
    """The model of a state dict: the published `512_16.pt`, or the tensors of a `pair_model` of this project.

    The published file has neither a scaler of its features nor a scale of its target: features are standardized by
    `scaler`, that of the train images, and a distance is the target itself, as it was there. A `pair_model` has both.
    Raises UserError when layers are missing, do not fit each other or the features, or hold no numbers.
    """
    layers = check_layers(weights, path, len(scaler.mean))
    if set(weights) >= OWN:
        own = {name: _array(name, weights[name], path) for name in OWN}
        return PairModel.from_arrays(layers | own)
    return PairModel(layers, scaler, target_offset=0.0, target_scale=1.0)


def _array(name: str, tensor: Any, path: str) -> Any:
    return float32_weights(name, tensor, f"pair_model.weights_from: {path}", f"expected {LAYOUT}").numpy()


def check_layers(weights: Mapping[str, Any], path: str, feature_dim: int | None = None) -> dict[str, Any]:
    """The layers of a state dict as arrays. UserError as `imported_pair_model`; the features may not be known yet."""
    layers = {name: _array(name, tensor, path) for name, tensor in weights.items() if name not in OWN}
    count = len(layers) // 2
    expected = {f"linear{i}.{part}" for i in range(1, count + 1) for part in ("weight", "bias")}
    if not layers or set(layers) != expected:
        found = ", ".join(sorted(layers)[:4]) or "nothing"
        raise UserError(f"pair_model.weights_from: {path} holds {found}; expected {LAYOUT}")
    width = feature_dim
    for i in range(1, count + 1):
        shape, bias = (tuple(np.shape(layers[f"linear{i}.{part}"])) for part in ("weight", "bias"))
        if len(shape) != 2 or width not in (None, shape[1]) or bias != shape[:1]:
            what = "features have" if i == 1 else f"linear{i - 1} gives"
            raise UserError(
                f"pair_model.weights_from: {path} has linear{i}.weight {shape} and linear{i}.bias {bias}, but the "
                f"{what} {width} numbers; take the encoder whose features it was fitted to"
            )
        width = shape[0]
    return layers
