"""Pretraining on all training images, labeled or not. Labels are only used for the kNN accuracy in the history."""

import logging

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from byol_kedro.byol.device import resolve_device, resolve_devices
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.precision import resolve_precision
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.log import get_logger
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.artifacts import encoder_artifact, encoder_header, heads_artifact, history_table
from byol_kedro.pipelines.pretrain.launch import Processes, fit_in_processes
from byol_kedro.pipelines.pretrain.preview import view_grid
from byol_kedro.pipelines.pretrain.progress import log_skipped_steps
from byol_kedro.pipelines.pretrain.resume import is_finished, training_identity
from byol_kedro.pipelines.pretrain.trainer import Trainer

logger = get_logger(__name__)


def show_views(
    images_unlabeled: Images, images_train: Images, parameters: Pretrain, seed: int
) -> npt.NDArray[np.uint8]:
    """Draw the first images of the first batch with their two views: (H, W, 3) uint8.

    Raises:
        UserError: there are fewer images than one step needs.
    """
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    return view_grid(plan, images_unlabeled, images_train)


def pretrain(
    images_unlabeled: Images,
    images_train: Images,
    checkpoints: Checkpoints,
    event_files: EventFolder,
    parameters: Pretrain,
    seed: int,
    device: str,
    devices: str,
    max_restarts: int,
    tensorboard: bool,
) -> tuple[Tensors, Tensors, pd.DataFrame]:
    """Train an encoder, from the newest checkpoint of the same training if there is one.

    On several devices each has a process, and this one only shows the progress and reads the result.

    Returns:
        The encoder, the heads with the target network, and the history of the training.

    Raises:
        UserError: the device, their number, the architecture or the batch size is not possible, or the training
            diverges.
        SystemExit: A signal stopped the training.
    """
    torch_device, size = resolve_device(device), images_train.pixels.shape[-1]
    number = resolve_devices(devices, torch_device, parameters)
    # With several processes this one leaves the GPUs to them.
    state = initial_state(parameters, size, seed, torch_device if number == 1 else torch.device("cpu"))
    parameters = _resolve_precision(parameters, state, size, torch_device)
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    header = encoder_header(state, plan, images_unlabeled, images_train)
    folder = checkpoints.of(training_identity(parameters, images_unlabeled, images_train, seed, torch_device))
    trainer, events = Trainer(plan, state, Monitor(state.device), header, folder), event_files if tensorboard else None
    with folder.locked():  # waits while another process runs the same training
        if number == 1 or is_finished(folder, plan):
            trainer.fit(images_unlabeled, images_train, events)
        else:
            processes = Processes(number, torch_device, max_restarts)
            fit_in_processes(trainer, images_unlabeled, images_train, events, processes)
    log_skipped_steps(state)
    encoder, heads = encoder_artifact(state, header, parameters), heads_artifact(state, header, parameters)
    return encoder, heads, history_table(trainer.monitor.rows)


def _resolve_precision(parameters: Pretrain, state: TrainState, image_size: int, device: torch.device) -> Pretrain:
    """The parameters with the precision that the training has, which its identity and the encoder's header name."""
    view_size = parameters.views.size or image_size
    precision, reason = resolve_precision(parameters.precision, state.network.encoder, view_size, device)
    if reason:
        level = logging.INFO if parameters.precision == "auto" else logging.WARNING
        logger.log(level, "pretrain.precision=%s: %s; training in %s", parameters.precision, reason, precision)
    return parameters.model_copy(update={"precision": precision})
