"""A look at the views that training begins with."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from byol_kedro.byol.augmentation.augment import apply_params
from byol_kedro.byol.augmentation.draw import draw_params
from byol_kedro.byol.batches import place_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import augmentation_generator
from byol_kedro.datasets.images import Images

COLUMNS = 8  # images, the first of the batch
TILE = 64  # pixels; smaller images are enlarged by a whole factor
MARGIN = 2  # pixels around each image
CPU = torch.device("cpu")

Pixels = npt.NDArray[np.uint8]


def draw_views(plan: Plan, images_unlabeled: Images, images_train: Images) -> Pixels:
    """(H, W, 3) uint8: a row of images of the first batch, then one of each of their two views.

    They are the very views that the training of `plan` begins with, before the normalization.
    """
    indices = plan.picked(plan.order(0), 0)[0]
    # All parameters of the batch are drawn, as training does; the pixels of the shown images alone are made.
    placed = place_images([images_unlabeled.pixels, images_train.pixels], CPU)
    (images,) = placed.batches([indices[:COLUMNS]])
    generator = augmentation_generator(plan.seed)
    rows = [images.float() / 255]
    for view in (plan.parameters.views.first, plan.parameters.views.second):
        params = draw_params(view, len(indices), images.shape[-1], generator)
        rows.append(apply_params(images, params.take(slice(len(images)))))
    return np.concatenate([_row(row) for row in rows])


def _row(images: Tensor) -> Pixels:
    """(n, 3, S, S) in [0, 1] → (S', n·S', 3) uint8, with white between them."""
    factor = max(1, round(TILE / images.shape[-1]))
    pixels = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()  # (n, S, S, 3)
    tiles = pixels.repeat(factor, axis=1).repeat(factor, axis=2)
    around = (MARGIN, MARGIN)
    return np.concatenate([np.pad(tile, (around, around, (0, 0)), constant_values=255) for tile in tiles], axis=1)
