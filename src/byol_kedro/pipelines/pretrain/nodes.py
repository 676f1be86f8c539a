"""BYOL on all training images, labeled or not; the labels only serve the kNN figure of its history."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from byol_kedro.byol.batches import place_images
from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import DivergedError, train
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.artifacts import describe, encoder_of, heads_of, history_of
from byol_kedro.pipelines.pretrain.checkpointing import Keeper, StopRequest
from byol_kedro.pipelines.pretrain.online_eval import online_measures
from byol_kedro.pipelines.pretrain.preview import draw_views
from byol_kedro.pipelines.pretrain.progress import ProgressReport, tell_plan, tell_skipped
from byol_kedro.pipelines.pretrain.resume import begin, identity_of
from byol_kedro.pipelines.pretrain.tensorboard import both, on_board


def show_views(
    images_unlabeled: Images, images_train: Images, parameters: Pretrain, seed: int
) -> npt.NDArray[np.uint8]:
    """The first images of the first batch with their two views, (H, W, 3) uint8. Raises UserError as `pretrain`."""
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    return draw_views(plan, images_unlabeled, images_train)


def pretrain(
    images_unlabeled: Images,
    images_train: Images,
    checkpoints: Checkpoints,
    event_files: EventFolder,
    parameters: Pretrain,
    seed: int,
    device: str,
    tensorboard: bool,
) -> tuple[Tensors, Tensors, pd.DataFrame]:
    """The encoder, the heads with the target network, and the history of the training.

    Goes on from the checkpoint of this very training where there is one; where another process is at it, waits until
    that has ended. With `tensorboard` it can be watched there.

    Raises UserError for a device, an architecture or a batch that cannot be, and for a training that diverges;
    SystemExit where the process was told to stop.
    """
    where = resolve_device(device)
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    state = initial_state(parameters, images_train.pixels.shape[-1], seed, where)
    header = describe(state, parameters, images_unlabeled, images_train, seed)
    folder = checkpoints.of(identity_of(parameters, images_unlabeled, images_train, seed, where))
    monitor = Monitor(where)
    with folder.locked():
        images = place_images([images_unlabeled.pixels, images_train.pixels], where)
        measure = online_measures(images_train, parameters.online_knn, header, seed, where)
        begin(folder, plan, state, monitor)
        if state.step < plan.steps:
            tell_plan(plan, header.image_size)
        name = f"{parameters.recipe}-{folder.path.name}" if tensorboard else None
        board = on_board(event_files, name, state, monitor, lambda: draw_views(plan, images_unlabeled, images_train))
        with board as curves, ProgressReport(plan, where.type.upper()) as report, StopRequest() as stop:
            try:
                train(
                    state, images, plan, header.mean, header.std,
                    monitor=monitor, watch=both(report, curves), measure=measure, keep=Keeper(folder, plan, stop),
                )  # fmt: skip
            except DivergedError as error:
                last = folder.newest()
                kept = f"its last checkpoint is of step {last.step}" if last else "there is no checkpoint of it"
                raise UserError(f"{error}; no encoder is written, {kept}") from None
    tell_skipped(state)
    encoder, heads = encoder_of(state, header, parameters), heads_of(state, header, parameters)
    return encoder, heads, history_of(monitor.rows)
