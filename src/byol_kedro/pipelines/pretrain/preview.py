"""An image of the first views of a training."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from byol_kedro.byol.augmentation.augment import apply_params
from byol_kedro.byol.augmentation.draw import draw_params
from byol_kedro.byol.batches import load_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import augmentation_generator
from byol_kedro.datasets.images import Images

COLUMNS = 8  # images from the start of the batch
TILE = 64  # pixels; smaller images are enlarged by an integer factor
MARGIN = 2  # pixels around each image
CPU = torch.device("cpu")

Pixels = npt.NDArray[np.uint8]


def view_grid(plan: Plan, images_unlabeled: Images, images_train: Images) -> Pixels:
    """The first images of the first batch in a row, and below them rows with their first and second views.

    The views are those of the first step of the training, before the normalization.

    Returns:
        (H, W, 3) uint8.
    """
    indices = plan.micro_batches(plan.order(0), 0)[0]
    # Parameters are drawn for the whole batch, as in training; pixels only for the images that are shown.
    placed = load_images([images_unlabeled.pixels, images_train.pixels], CPU)
    (images,) = placed.batches([indices[:COLUMNS]])
    generator = augmentation_generator(plan.seed)
    rows = [images.float() / 255]
    for view in (plan.parameters.views.first, plan.parameters.views.second):
        params = draw_params(view, len(indices), images.shape[-1], generator)
        rows.append(apply_params(images, params.take(slice(len(images)))))
    return np.concatenate([_row(row) for row in rows])


def _row(images: Tensor) -> Pixels:
    """(n, 3, S, S) in [0, 1] → (S', n·S', 3) uint8, with white margins."""
    factor = max(1, round(TILE / images.shape[-1]))
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()  # (n, S, S, 3)
    tiles = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    around = (MARGIN, MARGIN)
    return np.concatenate([np.pad(tile, (around, around, (0, 0)), constant_values=255) for tile in tiles], axis=1)
