"""The latent MLP: one network on both pictures of a pair, the distance of its outputs fitted to the target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from byol_kedro.evaluation.pairs import PairSet
from byol_kedro.evaluation.scaler import Scaler

if TYPE_CHECKING:
    from byol_kedro.parameters import Latent

LATENT_DIM = 16

Array = NDArray[np.float32]


@dataclass(frozen=True)
class PairModel:
    """A fitted latent MLP: all that turns features into latent vectors.

    weights: `linear1.weight` (out, in) and `linear1.bias` (out,) float32, `linear2.…` and so on, with ReLU
    between; scaler: of the training pictures' features; target_scale: what a target is multiplied with to be
    compared with a distance, 1 / mean of the training targets.
    """

    weights: Mapping[str, Array]
    scaler: Scaler
    target_scale: float

    def vectors(self, features: Array) -> Array:
        """Latent vectors (N, 16) float32 of features (N, D) float32."""
        weights = {name: torch.from_numpy(np.array(array)) for name, array in self.weights.items()}
        with torch.inference_mode():
            vectors: Array = _embed(weights, torch.from_numpy(self.scaler(features))).numpy()
        return vectors

    def to_arrays(self) -> dict[str, Array]:
        """Everything as arrays, for `from_arrays`."""
        return {
            **self.weights,
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "target_scale": np.array([self.target_scale], dtype=np.float32),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "PairModel":
        """The model that `to_arrays` was called on."""
        weights = {name: arrays[name] for name in arrays if name.startswith("linear")}
        target_scale = float(arrays["target_scale"][0])
        return cls(weights, Scaler(arrays["mean"], arrays["scale"]), target_scale)


def fit_pair_model(pairs: PairSet, latent: "Latent", seed: int) -> PairModel:
    """Fit the latent MLP to training pairs, at least one.

    The loss is the mean of | ‖f(left) − f(right)‖₂ − target_scale · target |, minimised by Adam; the learning
    rate goes from `latent.lr` to 0 on a cosine. Features are standardised on all of `pairs.features`.
    """
    scaler = Scaler.fit(pairs.features)
    target_scale = float(np.float32(1 / pairs.target.mean()))

    generator = torch.Generator().manual_seed(seed)
    weights = _initial_weights([pairs.features.shape[1], *latent.widths, LATENT_DIM], generator)
    _minimise(
        weights,
        features=torch.from_numpy(scaler(pairs.features)),
        pairs=torch.from_numpy(np.stack([pairs.left, pairs.right])),
        target=torch.from_numpy((pairs.target * target_scale).astype(np.float32)),
        latent=latent,
        generator=generator,
    )
    arrays = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    return PairModel(arrays, scaler, target_scale)


def _minimise(
    weights: Mapping[str, Tensor],
    *,
    features: Tensor,
    pairs: Tensor,
    target: Tensor,
    latent: "Latent",
    generator: torch.Generator,
) -> None:
    """Train `weights` in place. features: (N, D), pairs: (2, P) int64 rows of it, target: (P,)."""
    optimizer = torch.optim.Adam(list(weights.values()), lr=latent.lr, fused=True)
    steps = latent.epochs * -(-len(target) // latent.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(latent.epochs):
        for batch in torch.split(torch.randperm(len(target), generator=generator), latent.batch_size):
            both = _embed(weights, features[pairs[:, batch].flatten()])  # (2 B, 16), the left ones first
            loss = F.l1_loss(_distance(*both.chunk(2)), target[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()


def _initial_weights(widths: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    """Weights and biases uniform in ±1/√inputs, as `torch.nn.Linear` draws them."""
    weights = {}
    for layer, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        bound = inputs**-0.5
        for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,))):
            tensor = torch.empty(shape).uniform_(-bound, bound, generator=generator)
            weights[f"linear{layer}.{name}"] = tensor.requires_grad_()
    return weights


def _embed(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """(N, D) → (N, 16)."""
    last = len(weights) // 2
    for layer in range(1, last + 1):
        x = F.linear(x, weights[f"linear{layer}.weight"], weights[f"linear{layer}.bias"])
        if layer < last:
            x = F.relu(x)
    return x


def _distance(left: Tensor, right: Tensor) -> Tensor:
    """(N, 16) twice → (N,). `vector_norm`, because its gradient at a distance of 0 is 0 and not NaN."""
    distance: Tensor = torch.linalg.vector_norm(left - right, dim=1)
    return distance
