"""Features of pictures by a frozen encoder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.networks import feature_dim

Pixels = npt.NDArray[np.uint8]


def encode(
    model: nn.Module, pixels: Pixels, header: EncoderHeader, device: torch.device, batch_size: int = 256
) -> npt.NDArray[np.float32]:
    """Features (N, D) float32 of pictures (N, 3, H, W) uint8, row for row.

    In evaluation mode, unaugmented, in float32, with the header's mean and standard deviation taken out.
    The model is moved to `device` and left in the mode that it came in. `pixels` may be a memory map: it is
    read in batches.
    """
    model.to(device)
    features = np.empty((len(pixels), feature_dim(model)), np.float32)
    with torch.inference_mode(), _evaluating(model):
        for start, batch in _normalised_batches(pixels, header.mean, header.std, device, batch_size):
            features[start : start + len(batch)] = model(batch).float().cpu().numpy()
    return features


def project(projector: nn.Module, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Projections (N, projection_dim) float32 of features (N, D) float32, in evaluation mode."""
    device = next(projector.parameters()).device
    with torch.inference_mode(), _evaluating(projector):
        return np.asarray(projector(torch.from_numpy(features).to(device)).cpu().numpy(), np.float32)


def _normalised_batches(
    pixels: Pixels, mean: Sequence[float], std: Sequence[float], device: torch.device, batch_size: int
) -> Iterator[tuple[int, Tensor]]:
    """First row and pictures (n, 3, H, W) float32 on `device` of each batch; the last one may be smaller."""
    centre = torch.tensor(mean, device=device).view(3, 1, 1)
    scale = torch.tensor(std, device=device).view(3, 1, 1)
    for start in range(0, len(pixels), batch_size):
        images = torch.from_numpy(np.array(pixels[start : start + batch_size])).to(device)
        x = (images.float() / 255 - centre) / scale
        yield start, x.contiguous(memory_format=torch.channels_last)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, then again in the mode that it came in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
