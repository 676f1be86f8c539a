"""Supervised training of the same network, the upper reference for BYOL."""

import math
from collections.abc import Callable
from contextlib import closing
from itertools import islice, tee
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.batches import load_images
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.finite import NotFiniteError, check_finite
from byol_kedro.byol.networks import create_encoder, feature_dim
from byol_kedro.byol.optimizer import create_optimizer
from byol_kedro.byol.precision import autocast_dtype, resolve_precision
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.seeds import HEADS, seeded, stream_seed
from byol_kedro.byol.state import augmentation_generator

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain

OnEpoch = Callable[[int, float], None]
ADVICE = "set baselines.supervised=false"


def supervised_plan(training: "Pretrain", image_passes: int, count: int, seed: int) -> Plan:
    """The plan of a supervised training on `count` labeled images.

    It processes as many images as BYOL's training (`image_passes`). Optimizer, batch and schedules are those of
    `training`; warmup is the same part of the steps. The batch is at most `count`.
    """
    batch = min(training.batch_size, count)
    accumulation_steps = min(training.accumulation_steps, count // batch)
    images_per_step = batch * accumulation_steps
    images_per_epoch = count // images_per_step * images_per_step  # an incomplete step is dropped
    epochs = max(1, round(image_passes / images_per_epoch))
    changes = {"epochs": epochs, "steps": None, "batch_size": batch, "accumulation_steps": accumulation_steps}
    return Plan(training.model_copy(update=changes), count, seed)


def train_supervised(
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    header: EncoderHeader,
    plan: Plan,
    device: torch.device,
    on_epoch: OnEpoch = lambda _epoch, _loss: None,
) -> nn.Module:
    """Train the encoder of `header` from scratch, with the cross entropy of a linear layer on its features.

    Images are augmented like BYOL's first view. All random numbers depend on the seed of the plan.

    Args:
        pixels: (N, 3, S, S) uint8.
        labels: (N,) int64, all known.
        header: the architecture, and mean and standard deviation for normalization.
        plan: batches and learning rates.
        device: where to train.
        on_epoch: called after each epoch with the number of epochs done and the last loss.

    Returns:
        The encoder in evaluation mode, without the linear layer.

    Raises:
        NotFiniteError: the loss, or a weight after the last step, is not finite.
    """
    network = _network(header, int(labels.max()) + 1, plan.seed, device)
    optimizer = create_optimizer(network, plan.parameters.optimizer)
    generator = augmentation_generator(plan.seed)
    placed, targets = load_images([pixels], device), torch.from_numpy(labels).to(device)
    mean, std = (torch.tensor(values, device=device) for values in (header.mean, header.std))
    views = plan.parameters.views
    precision, _ = resolve_precision(plan.parameters.precision, network[0], views.size or header.image_size)
    dtype = None if precision == "float16" else autocast_dtype(precision)  # float16 would need loss scaling
    rows, again = tee(plan.batches(0))
    with closing(placed.batches(rows)) as batches:
        micro_batches = zip(batches, again, strict=True)
        for step in range(plan.steps):
            optimizer.zero_grad(set_to_none=True)
            for images, picked in islice(micro_batches, plan.parameters.accumulation_steps):
                view = augment(images, views.first, generator, size=views.size, mean=mean, std=std)
                loss = _add_gradient(
                    network, view, targets[picked.to(device)], plan.parameters.accumulation_steps, dtype
                )
            for group in optimizer.param_groups:
                group["lr"], _ = plan.rates(step)
            optimizer.step()
            if (step + 1) % plan.steps_per_epoch == 0:
                on_epoch((step + 1) // plan.steps_per_epoch, _finite(loss))
    # The loss does not show the weights after the last step.
    check_finite(network.state_dict(), "baselines.supervised: the trained network's", ADVICE)
    return network[0].eval()


def _network(header: EncoderHeader, classes: int, seed: int, device: torch.device) -> nn.Sequential:
    encoder = create_encoder(
        header.architecture, header.stem, header.zero_init_residual, seed, image_size=header.image_size
    )
    with seeded(stream_seed(seed, HEADS)):
        classifier = nn.Linear(feature_dim(encoder), classes)
    network = nn.Sequential(encoder, classifier)
    return network.to(device).to(memory_format=torch.channels_last).train()


def _add_gradient(network: nn.Module, view: Tensor, targets: Tensor, parts: int, dtype: torch.dtype | None) -> Tensor:
    """Add the gradient of one of `parts` micro-batches, view (n, 3, S, S) float32, targets (n,). Returns its loss."""
    with torch.autocast(view.device.type, dtype=dtype, enabled=dtype is not None):
        logits = network(view.contiguous(memory_format=torch.channels_last))
    loss = F.cross_entropy(logits.float(), targets)
    (loss / parts).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss.detach()


def _finite(loss: Tensor) -> float:
    value = float(loss)
    if not math.isfinite(value):
        raise NotFiniteError(f"baselines.supervised: the loss is {value} with the learning rate of the encoder", ADVICE)
    return value
