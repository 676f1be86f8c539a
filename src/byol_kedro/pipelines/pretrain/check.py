"""Checks of a training before the run writes anything."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import torch
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.byol.device import resolve_device, resolve_devices
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.trial import check_trainable
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.errors import UserError
from byol_kedro.files.atomic import size_text
from byol_kedro.log import get_logger
from byol_kedro.parameters import Parameters, Pretrain
from byol_kedro.pipelines.pretrain.resume import initialize

logger = get_logger(__name__)


def check_training(parameters: Parameters, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> int:
    """Check the pretraining of a run.

    Returns:
        The number of features of the encoder.

    Raises:
        UserError: the device or so many of them do not exist, the architecture cannot be trained on the images, the
            file of `init_from` does not match the network, or the disk cannot hold the result.
    """
    device, training = resolve_device(parameters.device), parameters.pretrain
    resolve_devices(parameters.devices, device, training)
    ingests = "images_train" in pipeline.all_outputs()
    size = parameters.ingest.image_size if ingests else catalog.load("images_train").pixels.shape[-1]
    features = check_trainable(training.encoder, size, training.views.size)
    if training.init_from is not None:
        initialize(initial_state(training, size, parameters.seed, device), training)
    check_free_space(training, size, catalog.load("checkpoints"))
    return features


def check_free_space(parameters: Pretrain, image_size: int, checkpoints: Checkpoints) -> None:
    """Check that the disk of the checkpoints can hold one, and then the encoder and its heads.

    A warning is logged if there is no room for as many checkpoints as the training keeps and writes at a time.

    Raises:
        UserError: it cannot.
    """
    weights, optimizer = stored_bytes(parameters, image_size)
    checkpoint, folder = weights + optimizer, checkpoints.root
    with suppress(OSError):  # writing reports it
        present, existing = checkpoints.size(), next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        # A checkpoint that is there may be the end of this training, which is then not written again.
        needed = weights if present >= checkpoint else weights + checkpoint
        parts = f"a checkpoint of {size_text(checkpoint)}, encoder and heads of {size_text(weights)}"
        if free < needed:
            raise UserError(
                f"pretrain: the disk is too full for this training: {size_text(free)} free in {existing}, "
                f"{size_text(needed)} needed ({parts}); free some space or choose another folder with "
                "--params data_root=..."
            )
        keep = parameters.checkpoint.keep
        if free + present < weights + (keep + 1) * checkpoint:
            logger.warning(
                "%s free in %s: pretrain.checkpoint.keep=%d needs %s while a checkpoint is written (%s); free some "
                "space or lower it",
                size_text(free), existing, keep, size_text(weights + (keep + 1) * checkpoint), parts,
            )  # fmt: skip


def stored_bytes(parameters: Pretrain, image_size: int) -> tuple[int, int]:
    """The bytes of all weights and buffers of the networks, and those of the state of the optimizer after a step."""
    plain = parameters.model_copy(update={"precision": "float32", "compile": False})
    state = initial_state(plain, image_size, 0, torch.device("meta"))  # tensors that take no memory
    for parameter in state.network.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.empty_like(parameter)
    state.optimizer.step()
    values = (value for of_parameter in state.optimizer.state.values() for value in of_parameter.values())
    return _size(state.network.state_dict().values()), _size(values)


def _size(values: Iterable[Any]) -> int:
    return sum(value.nbytes for value in values if isinstance(value, torch.Tensor))
