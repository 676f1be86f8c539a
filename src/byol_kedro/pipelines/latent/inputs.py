"""What belongs together: features, their pictures, and the pairs that name these."""

from collections.abc import Mapping

from byol_kedro.datasets.belonging import check_same_pictures
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors, mapped
from byol_kedro.errors import UserError
from byol_kedro.evaluation.latent_vectors import Vectors
from byol_kedro.evaluation.pair_model import PairModel
from byol_kedro.evaluation.pair_rows import Stack


def pictures(latents: Tensors, images: Images) -> list[str]:
    """The name of each row of the features. UserError when they were computed from other pictures."""
    check_same_pictures(latents, images)
    return [images.names[row] for row in latents["index"]]


def vectors(model: PairModel, split: str, latents: Tensors, images: Images) -> Vectors:
    """Latent vectors with names and labels. UserError when features and pictures or model do not match."""
    features, names = mapped(latents, "features"), pictures(latents, images)
    if len(features) and features.shape[1] != len(model.scaler.mean):
        raise UserError(
            f"latent_mlp takes features of {len(model.scaler.mean)} numbers, those of {split} have "
            f"{features.shape[1]}: run the pipeline latent again"
        )
    return Vectors(split, names, latents["labels"], model.vectors(features))


def reference_features(reference_latents: Tensors, name: str) -> Stack:
    """Features of train, then test, of the network `name`. UserError with the names there are where it is unknown."""
    known = {key.split(".")[0] for key in reference_latents.keys()}  # noqa: SIM118  # no mapping
    if name not in known:
        raise UserError(
            f"latent.pairs.reference: reference_latents has no network {name!r}, it has {', '.join(sorted(known))}"
        )
    return Stack([mapped(reference_latents, f"{name}.{split}.features") for split in ("train", "test")])


def check_weights_of(encoder: Tensors, header: Mapping[str, str]) -> None:
    """UserError when the header of imported weights names another encoder; the published file names none."""
    found = header.get("encoder_fingerprint")
    if found is not None and found != encoder.header["fingerprint"]:
        raise UserError(
            f"latent.weights_from: fitted to features of encoder {header['encoder_version']}, but these are of "
            f"{encoder.header['version']}; pin that one with --load-versions, and its features too"
        )


def check_two_pictures(images_train: Images, images_test: Images) -> None:
    """UserError when a split has no pair."""
    for split, images in (("train", images_train), ("test", images_test)):
        if len(images) < 2:
            raise UserError(
                f"images_{split} of {images.source} holds {len(images)} picture(s), the pipeline latent needs at "
                "least 2 to make a pair: ingest more pictures"
            )
