"""Features of images by a frozen encoder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.finite import LARGEST, check_features
from byol_kedro.byol.networks import feature_dim

if TYPE_CHECKING:
    from byol_kedro.parameters import View

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
Transform = Callable[[Image.Image], Tensor]

BATCH = 256  # images at once
# Of an encoder that was trained here.
WHOSE = "features of the encoder"
INSTEAD = "its training has diverged: look at the loss in training_history, train with a lower pretrain.optimizer.lr"


def encode(
    model: nn.Module,
    pixels: Pixels,
    header: EncoderHeader,
    device: torch.device,
    batch_size: int = BATCH,
    *,
    whose: str = WHOSE,
    instead: str = INSTEAD,
    largest: float = LARGEST,
) -> Features:
    """Features (N, D) float32 of images (N, 3, H, W) uint8, row for row.

    In evaluation mode, unaugmented, in float32, with the header's mean and standard deviation taken out.
    The model is moved to `device` and left in the mode that it came in. `pixels` may be a memory map: it is
    read in batches.

    Raises:
        NotFiniteError: some of them are no numbers, or beyond `largest`; it says `whose` they are and
            what to do `instead`.
    """
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (header.mean, header.std))
    batches = ((batch.to(device).float() / 255 - mean) / std for batch in _batches(pixels, batch_size))
    return _features(model, batches, len(pixels), device, whose, instead, largest)


def encode_view(
    model: nn.Module,
    pixels: Pixels,
    view: "View",
    header: EncoderHeader,
    seed: int,
    device: torch.device,
    *,
    whose: str = WHOSE,
    instead: str = INSTEAD,
) -> Features:
    """Features (N, D) float32 of one random view of each image of (N, 3, S, S) uint8, otherwise as `encode`.

    The views depend on `seed` alone: every network is shown the same.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(values, device=device) for values in (header.mean, header.std))
    batches = (augment(batch.to(device), view, generator, mean=mean, std=std) for batch in _batches(pixels, BATCH))
    return _features(model, batches, len(pixels), device, whose, instead)


def encode_transformed(
    model: nn.Module,
    pixels: Pixels,
    transform: Transform,
    device: torch.device,
    *,
    whose: str = WHOSE,
    instead: str = INSTEAD,
) -> Features:
    """Features (N, D) float32 of images (N, 3, H, W) uint8 after a `transform` of PIL images, else as `encode`."""
    batches = (
        torch.stack([transform(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in batch]).to(device)
        for batch in _batches(pixels, 64)
    )
    return _features(model, batches, len(pixels), device, whose, instead)


def project(projector: nn.Module, features: Features) -> Features:
    """Projections (N, projection_dim) float32 of features (N, D) float32, in evaluation mode.

    Raises NotFiniteError as `encode`.
    """
    device = next(projector.parameters()).device
    with torch.inference_mode(), _evaluating(projector):
        projections = np.asarray(projector(torch.from_numpy(features).to(device)).cpu().numpy(), np.float32)
    check_features(projections, "projections of these features", INSTEAD)
    return projections


def _batches(pixels: Pixels, size: int) -> Iterator[Tensor]:
    """Copies of the images, (n, 3, H, W) uint8; the last batch may be smaller."""
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.array(pixels[start : start + size]))


def _features(
    model: nn.Module,
    batches: Iterator[Tensor],
    count: int,
    device: torch.device,
    whose: str,
    instead: str,
    largest: float = LARGEST,
) -> Features:
    """What the model says of the batches, (n, 3, H, W) float32 on the device, one after the other: (count, D)."""
    model.to(device)
    features, done = np.empty((count, feature_dim(model)), np.float32), 0
    with torch.inference_mode(), _evaluating(model):
        for batch in batches:
            answers = model(batch.contiguous(memory_format=torch.channels_last))
            features[done : done + len(batch)] = answers.float().cpu().numpy()
            done += len(batch)
    check_features(features, whose, instead, largest)
    return features


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, then again in the mode that it came in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
