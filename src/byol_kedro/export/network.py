"""The encoder with its normalisation inside."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from byol_kedro.byol.encoder import EncoderHeader


class FromPixels(nn.Module):
    """(N, 3, S, S) uint8 RGB → (N, D) float32, in evaluation mode."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: nn.Module, header: EncoderHeader) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(header.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(header.std).view(3, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.encoder((images.float() / 255 - self.mean) / self.std)
        return features


def features_of(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network that takes uint8 gives for pixels (N, 3, S, S) uint8."""
    with torch.inference_mode():
        features: NDArray[np.float32] = network(torch.from_numpy(pixels)).numpy()
    return features
