"""The image of the first views."""

import numpy as np
import torch

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.train import train
from byol_kedro.datasets.image_grid import MARGIN, TITLE
from byol_kedro.pipelines.pretrain.nodes import show_views
from byol_kedro.pipelines.pretrain.preview import COLUMNS
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.trainings import CPU, SIZE, recipe, small_state

SIDE = 64 + MARGIN  # of a tile: images of 16 pixels are enlarged four times


def tiles(image):
    """(3 rows, n, 3, S, S) uint8: the images at their own size, without margins."""
    image = image[:, TITLE:]
    rows, columns = image.shape[0] // SIDE, image.shape[1] // SIDE
    split = image.reshape(rows, SIDE, columns, SIDE, 3).transpose(0, 2, 4, 1, 3)
    return split[..., :64:4, :64:4]


def test_views_of_the_first_step_are_shown_below_their_images(monkeypatch):
    parameters, seen = recipe(batch_size=10, epochs=1), []
    plan = Plan(parameters, 22, 3)

    def step(state, views, **_):
        seen.extend(views)
        state.step += 1
        return torch.ones(2)

    monkeypatch.setattr("byol_kedro.byol.train.train_step", step)
    images = load_images([UNLABELED.pixels, TRAIN.pixels], CPU)
    train(small_state(3), images, plan, (0.0,) * 3, (1.0,) * 3)
    shown = tiles(show_views(UNLABELED, TRAIN, parameters, 3))
    assert shown.shape == (3, COLUMNS, 3, SIZE, SIZE)
    first_batch = plan.micro_batches(plan.order(0), 0)[0][:COLUMNS].numpy()
    np.testing.assert_array_equal(shown[0], np.concatenate([UNLABELED.pixels, TRAIN.pixels])[first_batch])
    for row, view in zip(shown[1:], seen[0], strict=True):
        np.testing.assert_allclose(row / 255, view[:COLUMNS].numpy(), atol=0.5 / 255 + 1e-6)


def test_views_are_shown_at_their_own_size():
    rows = show_views(UNLABELED, TRAIN, recipe(batch_size=3, views={"size": 9}), 0)
    tile = 7 * 9 + MARGIN  # enlarged seven times; images of 16 pixels four times, which is wider
    assert rows.shape == (SIDE + 2 * tile, TITLE + 3 * SIDE, 3)
    assert (rows[SIDE:, TITLE + 3 * tile :] == 255).all()


def test_a_small_batch_gives_a_narrow_grid():
    assert show_views(UNLABELED, TRAIN, recipe(batch_size=3), 0).shape == (3 * SIDE, TITLE + 3 * SIDE, 3)
