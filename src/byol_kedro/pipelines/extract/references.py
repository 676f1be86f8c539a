"""The reference networks that the encoder is compared with."""

import math
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
from byol_kedro.byol.features import encode_images
from byol_kedro.byol.imported import SEPARATOR, import_weights
from byol_kedro.byol.pretrained_weights import check_timm_name
from byol_kedro.byol.supervised import ADVICE as SUPERVISED_ADVICE
from byol_kedro.byol.supervised import OnEpoch, supervised_plan, train_supervised
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.names import SUPERVISED, UNTRAINED
from byol_kedro.files.hub import WeightsUnavailableError
from byol_kedro.log import Throttle, counted, format_duration, get_logger
from byol_kedro.parameters import ImportEncoder

logger = get_logger(__name__)
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Reference:
    """A reference network.

    Attributes:
        key: prefix of its arrays.
        features: its display name in tables.
        encode: computes features (N, D) float32 of images (N, 3, H, W) uint8, with the keyword arguments of
            `byol.features.encode_images`.
        instead: what to do if a feature is not finite, for the error message.
        facts: columns of its rows in the results.
    """

    key: str
    features: str
    encode: Callable[..., npt.NDArray[np.float32]]
    instead: str
    facts: dict[str, Any] = field(default_factory=dict)

    def features_of(self, pixels: Pixels, split: str) -> npt.NDArray[np.float32]:
        """Compute features (N, D) float32 of the images (N, 3, H, W) uint8 of `split`.

        Raises:
            NotFiniteError: a feature is not finite.
        """
        return self.encode(pixels, name=f"features of {self.features}, {split}", advice=self.instead)


def check_references(references: Mapping[str, str], settings: ImportEncoder) -> None:
    """Check the names and files of all references before anything is trained.

    Raises:
        UserError: a name is unknown to timm; a file is missing, cannot be read, or contains other weights.
    """
    for name, wanted in references.items():
        weights, file = _split(name, wanted)
        if file:
            import_weights(weights, file, settings, f"references.{name}", quiet=True)


def all_references(
    encoder: Tensors,
    images_train: Images,
    references: Mapping[str, str],
    settings: ImportEncoder,
    supervised: bool,
    device: torch.device,
) -> Iterator[Reference]:
    """Yield the reference networks: untrained, trained with labels, and the available ones of `references`.

    A reference that is not available is skipped with a message in the log.

    Args:
        encoder: the encoder that they are compared with.
        images_train: images and labels for the supervised training.
        references: weights, as `name` or `name@file`, by the name that the user gave them.
        settings: preparation of the images for weights without metadata.
        supervised: whether to train the same network with labels.
        device: where features are computed.

    Raises:
        UserError: as `check_references`.
    """
    header = EncoderHeader.from_dict(encoder.header)
    encode_it = partial(encode_images, untrained_encoder(header), header=header, device=device)
    yield Reference("untrained", UNTRAINED, encode_it, "train an encoder of another pretrain.encoder.name")
    if supervised:
        yield from _supervised(encoder, header, images_train, device)
    for name, wanted in references.items():
        yield from _pretrained(name, wanted, settings, device)


def _supervised(
    encoder: Tensors, header: EncoderHeader, images_train: Images, device: torch.device
) -> Iterator[Reference]:
    known, training = np.flatnonzero(images_train.labels >= 0), training_of(encoder)
    if training is None or len(np.unique(images_train.labels[known])) < 2:
        no_training = "the encoder's header lacks the parameters of its training"
        why = no_training if training is None else "train has fewer than two classes"
        logger.info("baselines.supervised: skipped, %s", why)
        return
    parameters, image_passes = training
    plan = supervised_plan(parameters, image_passes, len(known), header.seed)
    steps, count = counted(plan.steps, "step"), counted(len(known), "image")
    logger.info("%s: %s over %s, as many image passes as for the encoder", SUPERVISED, steps, count)
    pixels, labels = images_train.pixels[known], images_train.labels[known]
    model = train_supervised(pixels, labels, header, plan, device, _progress_log(math.ceil(plan.epochs)))
    facts = {
        "architecture": header.architecture,
        "epochs": plan.epochs,
        "batch_size": plan.images_per_step,
        "seed": header.seed,
    }
    encode_it = partial(encode_images, model, header=header, device=device)
    yield Reference("supervised", SUPERVISED, encode_it, SUPERVISED_ADVICE, facts)


def _progress_log(epochs: int) -> OnEpoch:
    """Callback that logs the first and the last epoch, and others as often as `Throttle` allows."""
    start, throttle = time.monotonic(), Throttle()

    def watch(epoch: int, loss: float) -> None:
        if throttle.is_due(always=epoch in {1, epochs}):
            left = format_duration((time.monotonic() - start) / epoch * (epochs - epoch))
            logger.info("%s: epoch %d of %d, loss %.3f, %s left", SUPERVISED, epoch, epochs, loss, left)

    return watch


def _pretrained(name: str, wanted: str, settings: ImportEncoder, device: torch.device) -> Iterator[Reference]:
    weights, file = _split(name, wanted)
    try:
        found = import_weights(weights, file, settings, f"references.{name}")
    except WeightsUnavailableError as error:
        logger.warning(
            "references.%s: skipped, the weights %s are not available (%s); without network access, give a file: "
            "%s%sFILE",
            name, weights, error, weights, SEPARATOR,
        )  # fmt: skip
        return
    facts = {"architecture": found.header.architecture}
    encode_it = partial(encode_images, found.model, header=found.header, device=device)
    instead = f"give other weights in references.{name}, or remove it"
    yield Reference(name, f"{name} ({weights})", encode_it, instead, facts)


def _split(name: str, wanted: str) -> tuple[str, Path | None]:
    """The name in timm and the file of `name@file`, None without one.

    Raises:
        UserError: timm does not know the name.
    """
    weights, _, file = wanted.partition(SEPARATOR)
    check_timm_name(weights, f"references.{name}")
    return weights, Path(file) if file else None
