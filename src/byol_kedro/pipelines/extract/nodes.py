"""Features of the labeled images: computed once, then used by every classifier."""

import json

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.evaluation.scaler import constant_features_message, is_constant
from byol_kedro.log import get_logger
from byol_kedro.parameters import Baselines
from byol_kedro.pipelines.extract.latents import derived_header, latents
from byol_kedro.pipelines.extract.references import all_references

log = get_logger(__name__)


def extract(encoder: Tensors, images_train: Images, images_test: Images, device: str) -> tuple[Tensors, Tensors]:
    """`features` (N, D) float32, `labels` (N,) and `index` (N,) int64 of train and of test, row for row."""
    where, header = resolve_device(device), EncoderHeader.from_dict(encoder.header)
    model = restore_encoder(header, encoder.arrays)
    train = latents(model, header, images_train, "train", where, encoder)
    if is_constant(train["features"]):
        words = constant_features_message(f"encoder {encoder.header['version']}", len(images_train))
        log.warning("%s Or has its training collapsed (feature_std in training_history)?", words)
    return train, latents(model, header, images_test, "test", where, encoder)


def extract_unlabeled(encoder: Tensors, images_unlabeled: Images, unlabeled: bool, device: str) -> Tensors:
    """The same of the images without labels where `pair_model.unlabeled` asks for it, else of none of them."""
    if len(images_unlabeled) and not unlabeled:
        log.info("latents_unlabeled: empty; --params pair_model.unlabeled=true for features of all images")
    where, header = resolve_device(device), EncoderHeader.from_dict(encoder.header)
    model = restore_encoder(header, encoder.arrays)
    count = len(images_unlabeled) if unlabeled else 0
    return latents(model, header, images_unlabeled, "unlabeled", where, encoder, count)


def extract_references(
    encoder: Tensors,
    images_train: Images,
    images_test: Images,
    references: dict[str, str],
    baselines: Baselines,
    device: str,
) -> Tensors:
    """`untrained.{train,test}.features` (N, D) float32 and `.labels` (N,) int64, and the same of each other reference.

    The header's `references` says, as JSON, what the tables call each and what is known of it, `left_out` the names of
    those that could not be had. `untrained_encoder` says which of the possible untrained networks, and why. Raises
    UserError as `all_references`.
    """
    arrays: dict[str, Array] = {}
    about = {}
    for reference in all_references(encoder, images_train, references, baselines.supervised, resolve_device(device)):
        about[reference.key] = {"features": reference.features, "facts": reference.facts}
        for split, images in (("train", images_train), ("test", images_test)):
            arrays[f"{reference.key}.{split}.features"] = reference.features_of(images.pixels, split)
            arrays[f"{reference.key}.{split}.labels"] = images.labels
        if is_constant(arrays[f"{reference.key}.train.features"]):
            log.warning("%s", constant_features_message(reference.features, len(images_train)))
    header = derived_header(encoder, images_train, images_test)
    wanted = [*(["supervised"] if baselines.supervised else []), *references]
    left_out = [name for name in wanted if name not in about]
    return Tensors(arrays, {**header, "references": json.dumps(about), "left_out": json.dumps(left_out)})
