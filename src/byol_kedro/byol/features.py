"""Features of images by a frozen encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.finite import MAX_FEATURE, check_features
from byol_kedro.byol.networks import feature_dim
from byol_kedro.byol.resize import resize_center

if TYPE_CHECKING:
    from byol_kedro.parameters import View

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]

BATCH = 256  # images
IMPORTED_BATCH = 64  # images of an imported encoder, which are larger as a rule
# For an encoder that was trained here.
ENCODER_FEATURES = "features of the encoder"
ADVICE = "its training has diverged: check the loss in training_history and train with a lower pretrain.optimizer.lr"
IMPORTED_ADVICE = "check the file that it was imported from, or import another one"


def encode(
    model: nn.Module,
    pixels: Pixels,
    header: EncoderHeader,
    device: torch.device,
    batch_size: int = BATCH,
    *,
    name: str = ENCODER_FEATURES,
    advice: str = ADVICE,
    max_value: float = MAX_FEATURE,
) -> Features:
    """Compute features of images in evaluation mode, without augmentation and at their own size, in float32.

    Args:
        model: A network; moved to `device` and left in its mode.
        pixels: (N, 3, H, W) uint8; a memory map is read in batches.
        header: has the mean and standard deviation for normalization.
        device: where to compute.
        batch_size: images per batch.
        name: what the features are, in messages.
        advice: what to do if they are not finite, in messages.
        max_value: largest allowed absolute value.

    Returns:
        (N, D) float32, in the order of the images.

    Raises:
        NotFiniteError: A feature is not finite or beyond `max_value`.
    """
    batches = (_normalized(batch.to(device), header) for batch in _batches(pixels, batch_size))
    return _features(model, batches, len(pixels), device, name, advice, max_value)


def encode_images(
    model: nn.Module,
    pixels: Pixels,
    header: EncoderHeader,
    device: torch.device,
    *,
    name: str = ENCODER_FEATURES,
    advice: str = "",
) -> Features:
    """Compute features of images of any size, prepared as the header says.

    An encoder that was trained here gets the images as they are, see `encode`. For an imported one, they are resized
    with its filter and its center is cut out first, as by its authors.

    Args:
        model: A network; moved to `device` and left in its mode.
        pixels: (N, 3, H, W) uint8; a memory map is read in batches.
        header: has the preparation.
        device: where to compute.
        name: what the features are, in messages.
        advice: what to do if they are not finite, in messages.

    Returns:
        (N, D) float32, in the order of the images.

    Raises:
        NotFiniteError: A feature is not finite.
    """
    if not header.imported_from:
        return encode(model, pixels, header, device, name=name, advice=advice or ADVICE)
    batches = (prepare(batch.numpy(), header) for batch in _batches(pixels, IMPORTED_BATCH))
    inputs = (_normalized(torch.from_numpy(batch).to(device), header) for batch in batches)
    return _features(model, inputs, len(pixels), device, name, advice or IMPORTED_ADVICE)


def prepare(pixels: Pixels, header: EncoderHeader) -> Pixels:
    """Resize images (N, 3, H, W) uint8 to the input (N, 3, S, S) uint8 of an imported encoder."""
    size, crop, resample = header.image_size, header.crop, header.resample
    images = (Image.fromarray(image.transpose(1, 2, 0)) for image in pixels)
    return np.stack([resize_center(image, size, crop, resample) for image in images])


def encode_view(
    model: nn.Module,
    pixels: Pixels,
    view: "View",
    header: EncoderHeader,
    seed: int,
    device: torch.device,
    *,
    size: int | None = None,
    name: str = ENCODER_FEATURES,
    advice: str = ADVICE,
) -> Features:
    """Features (N, D) float32 of one random view of each image (N, 3, S, S) uint8; otherwise as `encode`.

    The views depend on `seed` alone, so that they are the same for every network. `size` is that of `augment`.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(values, device=device) for values in (header.mean, header.std))
    batches = (
        augment(batch.to(device), view, generator, size=size, mean=mean, std=std) for batch in _batches(pixels, BATCH)
    )
    return _features(model, batches, len(pixels), device, name, advice)


def project(projector: nn.Module, features: Features) -> Features:
    """Projections (N, projection_dim) float32 of features (N, D) float32, in evaluation mode.

    Raises:
        NotFiniteError: A projection is not finite.
    """
    device = next(projector.parameters()).device
    with torch.inference_mode(), _eval_mode(projector):
        projections = np.asarray(projector(torch.from_numpy(features).to(device)).cpu().numpy(), np.float32)
    check_features(projections, "projections of these features", ADVICE)
    return projections


def _batches(pixels: Pixels, size: int) -> Iterator[Tensor]:
    """Copy of the images, (n, 3, H, W) uint8; the last batch may be smaller."""
    for start in range(0, len(pixels), size):
        yield torch.from_numpy(np.array(pixels[start : start + size]))


def _normalized(batch: Tensor, header: EncoderHeader) -> Tensor:
    """The images (n, 3, H, W) uint8 as float32, normalized."""
    mean, std = (torch.tensor(values, device=batch.device).view(3, 1, 1) for values in (header.mean, header.std))
    return (batch.float() / 255 - mean) / std


def _features(
    model: nn.Module,
    batches: Iterator[Tensor],
    count: int,
    device: torch.device,
    name: str,
    advice: str,
    max_value: float = MAX_FEATURE,
) -> Features:
    """The output of the model for batches (n, 3, H, W) float32 on the device: (count, D)."""
    model.to(device)
    features, done = np.empty((count, feature_dim(model)), np.float32), 0
    with torch.inference_mode(), _eval_mode(model):
        for batch in batches:
            output = model(batch.contiguous(memory_format=torch.channels_last))
            features[done : done + len(batch)] = output.float().cpu().numpy()
            done += len(batch)
    check_features(features, name, advice, max_value)
    return features


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    """Set the model to evaluation mode inside the block."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
