"""The node that applies the encoder, a probe and the pair model to new images."""

from functools import partial

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.features import ENCODER_FEATURES, encode_images
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.new_images import NewImages
from byol_kedro.datasets.provenance import check_same_encoder, check_same_training
from byol_kedro.datasets.tables import TableStream
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.parameters import Predict, Probes
from byol_kedro.pipelines.predict.classifier import load_classifier
from byol_kedro.pipelines.predict.columns import all_columns
from byol_kedro.pipelines.predict.known import known_images
from byol_kedro.pipelines.predict.neighbors import known_split
from byol_kedro.pipelines.predict.rows import rows


def predict(
    new_images: NewImages,
    encoder: Tensors,
    probes: Tensors,
    pair_model: Tensors,
    latents_train: Tensors,
    latents_test: Tensors,
    latents_unlabeled: Tensors,
    images_train: Images,
    images_test: Images,
    images_unlabeled: Images,
    parameters: Predict,
    probe_parameters: Probes,
    seed: int,
    device: str,
) -> TableStream:
    """Predict class, embedding and nearest known images of each new image; rows are computed while they are saved.

    Raises:
        UserError: The probes, the pair model or the features of the known images belong to another encoder, or the
            probes were fitted to other images.
    """
    used = [probes] if PROBES[parameters.probe].arrays else []
    known_latents = (latents_train, latents_test, latents_unlabeled)
    check_same_encoder(encoder, *used, pair_model, *known_latents, again="evaluate")
    if used:
        check_same_training(probes, latents_train)
    header = EncoderHeader.from_dict(encoder.header)
    model = restore_encoder(header, encoder.arrays)
    known = known_images(latents_train, images_train)
    classifier = load_classifier(parameters.probe, probes, known, probe_parameters, seed)
    images = (images_train, images_test, images_unlabeled)
    splits = [known_split(*args) for args in zip(("train", "test", "unlabeled"), known_latents, images, strict=True)]
    columns = all_columns(classifier, pair_model, splits, parameters.neighbors)
    name = f"{ENCODER_FEATURES} {encoder.header['version']}, new images"
    features = partial(encode_images, model, header=header, device=resolve_device(device), name=name)
    # The size of the images to which the probes were fitted: images of another size than the encoder's may have been
    # ingested since.
    return rows(new_images, images_train.pixels.shape[-1], features, columns)
