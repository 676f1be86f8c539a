"""A look at the views that training begins with."""

import numpy as np
import numpy.typing as npt
import torch

from byol_kedro.byol.augmentation.augment import apply, draw
from byol_kedro.byol.batches import place_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import augmentation_generator
from byol_kedro.datasets.image_grid import image_grid
from byol_kedro.datasets.images import Images

COLUMNS = 8  # images, the first of the batch
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
    rows = [("images", images.numpy())]
    for title, view in (("first view", plan.parameters.views.first), ("second view", plan.parameters.views.second)):
        drawn = draw(view, len(indices), images.shape[-1], generator)
        pixels = apply(images, drawn.take(slice(len(images))))  # (n, 3, S, S) in [0, 1]
        rows.append((title, (pixels * 255).round().byte().numpy()))
    return image_grid(rows, columns=len(images))
