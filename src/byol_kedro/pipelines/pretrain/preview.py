"""An image of the first views of a training."""

import numpy as np
import numpy.typing as npt
import torch

from byol_kedro.byol.augmentation.augment import apply_params
from byol_kedro.byol.augmentation.draw import draw_params
from byol_kedro.byol.batches import load_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import augmentation_generator
from byol_kedro.datasets.image_grid import image_grid
from byol_kedro.datasets.images import Images

COLUMNS = 8  # images from the start of the batch
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
    rows = [("images", images.numpy())]
    views = plan.parameters.views
    for title, view in (("first view", views.first), ("second view", views.second)):
        params = draw_params(view, len(indices), images.shape[-1], generator)
        pixels = apply_params(images, params.take(slice(len(images))), size=views.size)  # (n, 3, V, V) in [0, 1]
        rows.append((title, (pixels * 255).round().byte().numpy()))
    return image_grid(rows, columns=len(images))
