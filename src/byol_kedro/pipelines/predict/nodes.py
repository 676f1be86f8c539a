"""From a folder of images to a row for each of them."""

from functools import partial

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.features import ENCODER_FEATURES, encode
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.new_images import NewImages
from byol_kedro.datasets.provenance import check_same_encoder, check_same_training
from byol_kedro.datasets.tables import TableStream
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.parameters import Predict, Probes
from byol_kedro.pipelines.predict.classifier import chosen_classifier
from byol_kedro.pipelines.predict.columns import all_columns
from byol_kedro.pipelines.predict.known import known_images
from byol_kedro.pipelines.predict.neighbors import known_split
from byol_kedro.pipelines.predict.rows import rows


def predict(
    new_images: NewImages,
    encoder: Tensors,
    probe_published: Tensors,
    probe_logistic: Tensors,
    probe_mlp: Tensors,
    pair_model: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    latents_unlabeled: Tensors,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
    parameters: Predict,
    probes: Probes,
    seed: int,
    device: str,
) -> TableStream:
    """path, class, confidence, z0 …, nearest, nearest_split, similarity, features, reason of every image, as made.

    Raises UserError when the chosen probe, the pair model or the known images' features are another encoder's, or
    the probe was fitted to other images.
    """
    saved = {"linear_adam": probe_published, "logistic": probe_logistic, "mlp": probe_mlp}
    used = [saved[parameters.probe]] if parameters.probe in saved else []
    known_latents = (latents_train, latents_test, latents_unlabeled)
    check_same_encoder(encoder, *used, pair_model, *known_latents, again="evaluate")
    for probe in used:
        check_same_training(probe, latents_train)
    header = EncoderHeader.from_dict(encoder.header)
    model = restore_encoder(header, encoder.arrays)
    known = known_images(latents_train, images_train)
    classifier = chosen_classifier(parameters.probe, saved, known, probes, seed)
    images = (images_train, images_test, images_unlabeled)
    splits = [known_split(*of) for of in zip(("train", "test", "unlabeled"), known_latents, images, strict=True)]
    columns = all_columns(classifier, pair_model, splits, parameters.neighbors)
    whose = f"{ENCODER_FEATURES} {encoder.header['version']}, new images"
    features = partial(encode, model, header=header, device=resolve_device(device), name=whose)
    # Of the images that all of the rest was fitted to: others than the encoder's may have been ingested since.
    return rows(new_images, images_train.pixels.shape[-1], features, columns)
