"""Provenance of features: the encoder, the images, and the training of the encoder."""

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Pretrain


def check_same_encoder(encoder: Tensors, *derived: Tensors, again: str = "extract") -> None:
    """Check that features were computed by this encoder.

    Args:
        encoder: The encoder.
        derived: Features, or results of them.
        again: The pipeline to run again otherwise, for the message.

    Raises:
        UserError: Another encoder has computed them.
    """
    version, fingerprint = encoder.header["version"], encoder.header["fingerprint"]
    for tensors in derived:
        other = tensors.header.get("encoder_version", "unknown")
        if (other, tensors.header.get("encoder_fingerprint")) != (version, fingerprint):
            raise UserError(
                f"features of encoder {other} do not match encoder {version}; "
                f"run the pipeline {again} again for encoder {version}, or pin the other one with "
                f"--load-versions encoder:{other}"
            )


def check_same_images(latents: Tensors, *splits: Images) -> None:
    """Check that features were computed from the images of `splits`, in this order.

    Raises:
        UserError: They were computed from other images.
    """
    found, expected = latents.header["data_fingerprint"], ":".join(images.fingerprint for images in splits)
    if found != expected:
        raise UserError(
            f"features of {latents.header['data']} images {found[:12]} do not match {splits[0].source} images "
            f"{expected[:12]}; run the pipeline extract again, or pin the images with --load-versions"
        )


def check_same_training(probe: Tensors, latents: Tensors) -> None:
    """Check that a probe was fitted to features of the same images as `latents`.

    Raises:
        UserError: It was fitted to features of other images.
    """
    found, expected = probe.header.get("data_fingerprint", "unknown"), latents.header["data_fingerprint"]
    if found != expected:
        raise UserError(
            f"a probe of training images {found[:12]} does not match features of {latents.header['data']} images "
            f"{expected[:12]}; run the pipeline evaluate again, or pin latents_train and images_train with "
            "--load-versions"
        )


def image_names(latents: Tensors, images: Images) -> list[str]:
    """Return the image name of each row of the features.

    Raises:
        UserError: The features were computed from other images.
    """
    check_same_images(latents, images)
    return [images.names[row] for row in latents["index"]]


def training_of(encoder: Tensors) -> tuple[Pretrain, int] | None:
    """Return the parameters of the encoder's training, and how many images its steps have processed.

    None if the header does not contain them in the format of this version.
    """
    try:
        return Pretrain.model_validate_json(encoder.header["training"]), int(encoder.header["image_passes"])
    except (KeyError, ValueError):
        return None
