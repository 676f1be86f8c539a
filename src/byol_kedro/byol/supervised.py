"""The same network, trained with labels: what BYOL's training would give if every image had one."""

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
from byol_kedro.byol.batches import place_images
from byol_kedro.byol.device import autocast_dtype
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.finite import NotFiniteError, check_finite
from byol_kedro.byol.networks import create_encoder, feature_dim
from byol_kedro.byol.optimizer import create_optimizer
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.seeds import HEADS, seeded, stream_seed
from byol_kedro.byol.state import augmentation_generator

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain

Watch = Callable[[int, float], None]
INSTEAD = "set baselines.supervised=false"


def supervised_plan(training: "Pretrain", image_passes: int, count: int, seed: int) -> Plan:
    """As many images as the steps of BYOL's training have seen (`image_passes`), out of `count` labeled ones.

    Optimizer, batch and schedules are those of `training`; its warm-up keeps its share of the steps. A batch larger
    than `count` becomes as large.
    """
    batch = min(training.batch_size, count)
    accumulation_steps = min(training.accumulation_steps, count // batch)
    seen = (
        count // (batch * accumulation_steps) * batch * accumulation_steps
    )  # images in an epoch: an incomplete step is left out
    epochs = max(1, round(image_passes / seen))
    warmup = training.optimizer.warmup_epochs * epochs / training.epochs
    optimizer = training.optimizer.model_copy(update={"warmup_epochs": warmup})
    changes = {"epochs": epochs, "batch_size": batch, "accumulation_steps": accumulation_steps, "optimizer": optimizer}
    return Plan(training.model_copy(update=changes), count, seed)


def train_supervised(
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    header: EncoderHeader,
    plan: Plan,
    device: torch.device,
    watch: Watch = lambda _epoch, _loss: None,
) -> nn.Module:
    """The encoder of `header`, trained from scratch on pixels (N, 3, S, S) with labels (N,), all known.

    Cross entropy of one linear layer on its features; each image is seen in the first view's distribution. All
    that is random follows from the plan's seed. `watch` is told the number of epochs done and the last loss.
    Returned in evaluation mode, without the layer.

    Raises:
        NotFiniteError: the loss, or a weight in the end, is no longer a finite number.
    """
    network = _network(header, int(labels.max()) + 1, plan.seed, device)
    optimizer = create_optimizer(network, plan.parameters.optimizer)
    generator = augmentation_generator(plan.seed)
    placed, targets = place_images([pixels], device), torch.from_numpy(labels).to(device)
    mean, std = (torch.tensor(values, device=device) for values in (header.mean, header.std))
    dtype = autocast_dtype(device, plan.parameters.precision)
    if dtype is torch.float16:
        dtype = None  # it would need loss scaling, which a reference of a few epochs can do without
    rows, again = tee(plan.batches(0))
    with closing(placed.batches(rows)) as batches:
        micro_batches = zip(batches, again, strict=True)
        for step in range(plan.steps):
            optimizer.zero_grad(set_to_none=True)
            for images, picked in islice(micro_batches, plan.parameters.accumulation_steps):
                view = augment(images, plan.parameters.views.first, generator, mean=mean, std=std)
                loss = _add_gradient(
                    network, view, targets[picked.to(device)], plan.parameters.accumulation_steps, dtype
                )
            for group in optimizer.param_groups:
                group["lr"], _ = plan.rates(step)
            optimizer.step()
            if (step + 1) % plan.steps_an_epoch == 0:
                watch((step + 1) // plan.steps_an_epoch, _finite(loss))
    # Of the last step the loss is known, not what it has made of the weights.
    check_finite(network.state_dict(), "baselines.supervised: the trained network's", INSTEAD)
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
    """Adds the gradient of one of `parts` micro-batches: view (n, 3, S, S) float32, targets (n,). Its loss."""
    with torch.autocast(view.device.type, dtype=dtype, enabled=dtype is not None):
        logits = network(view.contiguous(memory_format=torch.channels_last))
    loss = F.cross_entropy(logits.float(), targets)
    (loss / parts).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return loss.detach()


def _finite(loss: Tensor) -> float:
    value = float(loss)
    if not math.isfinite(value):
        raise NotFiniteError(f"baselines.supervised: the loss is {value} at the encoder's learning rate", INSTEAD)
    return value
