"""Extract the features of all images once, for every later pipeline."""

import json

import numpy as np
import torch
from torch import nn

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.features import ENCODER_FEATURES, encode_images
from byol_kedro.byol.resize import shorter_side
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.scaler import constant_features_message, is_constant
from byol_kedro.log import get_logger
from byol_kedro.parameters import Baselines, ImportEncoder
from byol_kedro.pipelines.extract.references import all_references

log = get_logger(__name__)


def extract(encoder: Tensors, images_train: Images, images_test: Images, device: str) -> tuple[Tensors, Tensors]:
    """Extract the features of the train and the test images.

    Returns:
        `features` (N, D) float32, `labels` (N,) int64 and `index` (N,) int64 of train and of test.

    Raises:
        NotFiniteError: a feature is not finite.
    """
    model, header, where = _restored(encoder, device)
    _log_resizing(header, images_train)
    train = _latents(encoder, model, header, images_train, "train", where)
    if is_constant(train["features"]):
        words = constant_features_message(f"encoder {encoder.header['version']}", len(images_train))
        collapsed = "" if header.imported_from else " Or has its training collapsed (feature_std in training_history)?"
        log.warning("%s%s", words, collapsed)
    return train, _latents(encoder, model, header, images_test, "test", where)


def extract_unlabeled(encoder: Tensors, images_unlabeled: Images, unlabeled: bool, device: str) -> Tensors:
    """Extract the features of the unlabeled images if `pair_model.unlabeled` is set, else of none of them.

    Returns:
        The arrays of `extract`.

    Raises:
        NotFiniteError: a feature is not finite.
    """
    if len(images_unlabeled) and not unlabeled:
        log.info("latents_unlabeled: empty; use --params pair_model.unlabeled=true for the features of all images")
    model, header, where = _restored(encoder, device)
    count = len(images_unlabeled) if unlabeled else 0
    return _latents(encoder, model, header, images_unlabeled, "unlabeled", where, count)


def extract_references(
    encoder: Tensors,
    images_train: Images,
    images_test: Images,
    references: dict[str, str],
    import_encoder: ImportEncoder,
    baselines: Baselines,
    device: str,
) -> Tensors:
    """Extract the features of the reference networks.

    `untrained_encoder` documents which untrained network is the reference.

    Returns:
        `untrained.{train,test}.features` (N, D) float32 and `.labels` (N,) int64, and the same for every other
        reference. As JSON, the header's `references` has the display name and the facts of each reference, and
        `left_out` the names of those that are not available.

    Raises:
        UserError: as `all_references`.
    """
    arrays: dict[str, Array] = {}
    about = {}
    where = resolve_device(device)
    for reference in all_references(encoder, images_train, references, import_encoder, baselines.supervised, where):
        about[reference.key] = {"features": reference.features, "facts": reference.facts}
        for split, images in (("train", images_train), ("test", images_test)):
            arrays[f"{reference.key}.{split}.features"] = reference.features_of(images.pixels, split)
            arrays[f"{reference.key}.{split}.labels"] = images.labels
        if is_constant(arrays[f"{reference.key}.train.features"]):
            log.warning("%s", constant_features_message(reference.features, len(images_train)))
    requested = [*(["supervised"] if baselines.supervised else []), *references]
    left_out = [name for name in requested if name not in about]
    header = Provenance.of(encoder, images_train, images_test).to_header()
    return Tensors(arrays, {**header, "references": json.dumps(about), "left_out": json.dumps(left_out)})


def _restored(encoder: Tensors, device: str) -> tuple[nn.Module, EncoderHeader, torch.device]:
    where, header = resolve_device(device), EncoderHeader.from_dict(encoder.header)
    return restore_encoder(header, encoder.arrays), header, where


def _log_resizing(header: EncoderHeader, images: Images) -> None:
    """Log it if an imported encoder gets enlarged images."""
    side, expected = images.pixels.shape[-1], shorter_side(header.image_size, header.crop)
    if header.imported_from and side < expected:
        log.info(
            "images of %d×%d are enlarged to %d×%d for this encoder; if the files are larger, ingest them again with "
            "ingest.image_size=%d",
            side, side, expected, expected, expected,
        )  # fmt: skip


def _latents(
    encoder: Tensors,
    model: nn.Module,
    header: EncoderHeader,
    images: Images,
    split: str,
    device: torch.device,
    count: int | None = None,
) -> Tensors:
    """Features, labels and index of the first `count` images, or of all; `class_names` in the header is JSON."""
    name = f"{ENCODER_FEATURES} {encoder.header['version']}, {split}"
    index = np.arange(len(images), dtype=np.int64)[:count]
    arrays: dict[str, Array] = {
        "features": encode_images(model, images.pixels[: len(index)], header, device, name=name),
        "labels": images.labels[: len(index)],
        "index": index,
    }
    provenance = Provenance.of(encoder, images).to_header()
    return Tensors(arrays, provenance | {"class_names": json.dumps(images.class_names)})
