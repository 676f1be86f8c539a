"""The networks that the encoder is compared with, each with what it makes of images."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from byol_kedro.byol.encoder import EncoderHeader, untrained_encoder
from byol_kedro.byol.features import encode, encode_transformed
from byol_kedro.byol.pretrained_weights import (
    check_timm_name,
    check_weights,
    eval_transform,
    hub_repository,
    pretrained_encoder,
)
from byol_kedro.byol.supervised import ADVICE as SUPERVISED_ADVICE
from byol_kedro.byol.supervised import OnEpoch, supervised_plan, train_supervised
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.names import SUPERVISED, UNTRAINED
from byol_kedro.files.hub import NotAtHandError, hub_weights
from byol_kedro.files.weights import read_weights
from byol_kedro.log import LINE_SECONDS, counted, get_logger, in_words

FILE_AFTER = "@"  # resnet18.tv_in1k@weights/mine.safetensors

logger = get_logger(__name__)
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Reference:
    """One of the networks: `key` names its arrays, `features` is what the tables call it.

    `facts` are columns of its results rows. `encode` makes features (N, D) float32 of images (N, 3, H, W) uint8 and
    takes what `byol.features.encode` takes by name; `instead` is what to do where they are no numbers.
    """

    key: str
    features: str
    encode: Callable[..., npt.NDArray[np.float32]]
    instead: str
    facts: dict[str, Any] = field(default_factory=dict)

    def features_of(self, pixels: Pixels, split: str) -> npt.NDArray[np.float32]:
        """Features (N, D) float32 of the images (N, 3, H, W) uint8 of `split`. NotFiniteError names both."""
        return self.encode(pixels, name=f"features of {self.features}, {split}", advice=self.instead)


def check_references(references: Mapping[str, str]) -> None:
    """What can be known before there is an encoder to compare with.

    Raises:
        UserError: timm does not know a name; a file is missing, cannot be read, or holds other weights.
    """
    for name, wanted in references.items():
        weights, _, file = wanted.partition(FILE_AFTER)
        check_timm_name(weights, f"references.{name}")
        if file:
            content, _ = read_weights(Path(file), f"references.{name}")
            check_weights(weights, content, f"references.{name}: {file}")


def all_references(
    encoder: Tensors, images_train: Images, references: Mapping[str, str], supervised: bool, device: torch.device
) -> Iterator[Reference]:
    """The untrained network; the one trained with labels, if it is asked for; `references`, those that are at hand.

    Raises:
        UserError: as `check_references`.
    """
    header = EncoderHeader.from_dict(encoder.header)
    encode_it = partial(encode, untrained_encoder(header), header=header, device=device)
    yield Reference("untrained", UNTRAINED, encode_it, "train an encoder of another pretrain.encoder.name")
    if supervised:
        yield from _supervised(encoder, header, images_train, device)
    for name, wanted in references.items():
        yield from _pretrained(name, wanted, device)


def _supervised(
    encoder: Tensors, header: EncoderHeader, images_train: Images, device: torch.device
) -> Iterator[Reference]:
    known, training = np.flatnonzero(images_train.labels >= 0), training_of(encoder)
    if training is None or len(np.unique(images_train.labels[known])) < 2:
        why = "the encoder's header does not say how it was trained" if training is None else "train has no two classes"
        logger.info("baselines.supervised: left out, %s", why)
        return
    parameters, image_passes = training
    plan = supervised_plan(parameters, image_passes, len(known), header.seed)
    steps, count = counted(plan.steps, "step"), counted(len(known), "image")
    logger.info("%s: %s over %s, as many passes as the encoder had", SUPERVISED, steps, count)
    pixels, labels = images_train.pixels[known], images_train.labels[known]
    model = train_supervised(pixels, labels, header, plan, device, _told_now_and_then(plan.parameters.epochs))
    facts = {
        "architecture": header.architecture,
        "epochs": plan.parameters.epochs,
        "batch_size": plan.images_per_step,
        "seed": header.seed,
    }
    encode_it = partial(encode, model, header=header, device=device)
    yield Reference("supervised", SUPERVISED, encode_it, SUPERVISED_ADVICE, facts)


def _told_now_and_then(epochs: int) -> OnEpoch:
    """A line after the first epoch, then every `LINE_SECONDS`, and at the end."""
    start = last = time.monotonic()

    def watch(epoch: int, loss: float) -> None:
        nonlocal last
        now = time.monotonic()
        if epoch in {1, epochs} or now - last >= LINE_SECONDS:
            last = now
            left = in_words((now - start) / epoch * (epochs - epoch))
            logger.info("%s: epoch %d of %d, loss %.3f, %s left", SUPERVISED, epoch, epochs, loss, left)

    return watch


def _pretrained(name: str, wanted: str, device: torch.device) -> Iterator[Reference]:
    weights, _, given = wanted.partition(FILE_AFTER)
    check_timm_name(weights, f"references.{name}")
    try:
        file = Path(given) if given else _downloaded(weights)
    except NotAtHandError as error:
        logger.warning(
            "references.%s: left out, the weights %s are not at hand (%s); without a network name a file: %s%sFILE",
            name, weights, error, weights, FILE_AFTER,
        )  # fmt: skip
        return
    content, _ = read_weights(file, f"references.{name}")
    model = pretrained_encoder(weights, content, f"references.{name}: {file}")
    facts = {"architecture": weights.partition(".")[0]}
    encode_it = partial(encode_transformed, model, transform=eval_transform(model), device=device)
    instead = f"give other weights in references.{name}, or leave it out"
    yield Reference(name, f"{name} ({weights})", encode_it, instead, facts)


def _downloaded(weights: str) -> Path:
    repository = hub_repository(weights)
    if repository is None:
        raise NotAtHandError("timm knows no address of them on the hub")
    return hub_weights(repository)
