"""What belongs together: features, their encoder, their images, and how the encoder was trained."""

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Pretrain


def check_same_encoder(encoder: Tensors, *derived: Tensors, again: str = "extract") -> None:
    """UserError when something was derived from another encoder than this one; `again`: the pipeline to repeat then."""
    version, mark = encoder.header["version"], encoder.header["fingerprint"]
    for tensors in derived:
        other = tensors.header.get("encoder_version", "unknown")
        if (other, tensors.header.get("encoder_fingerprint")) != (version, mark):
            raise UserError(
                f"features of encoder {other} meet encoder {version}: "
                f"run the pipeline {again} again for encoder {version}, or pin the other one with "
                f"--load-versions encoder:{other}"
            )


def check_same_images(latents: Tensors, *splits: Images) -> None:
    """UserError when the features were computed from other images than those of `splits`, in this order."""
    found, expected = latents.header["data_fingerprint"], ":".join(images.fingerprint for images in splits)
    if found != expected:
        raise UserError(
            f"features of {latents.header['data']} images {found[:12]} meet {splits[0].source} images "
            f"{expected[:12]}: run the pipeline extract again, or pin the images with --load-versions"
        )


def check_same_training(probe: Tensors, latents: Tensors) -> None:
    """UserError when a probe was fitted to features of other images than `latents`."""
    found, expected = probe.header.get("data_fingerprint", "unknown"), latents.header["data_fingerprint"]
    if found != expected:
        raise UserError(
            f"a probe of training images {found[:12]} meets features of {latents.header['data']} images "
            f"{expected[:12]}: run the pipeline evaluate again, or pin latents_train and images_train with "
            "--load-versions"
        )


def image_names(latents: Tensors, images: Images) -> list[str]:
    """The name of each row of the features. UserError when they were computed from other images."""
    check_same_images(latents, images)
    return [images.names[row] for row in latents["index"]]


def training_of(encoder: Tensors) -> tuple[Pretrain, int] | None:
    """The parameters of the encoder's training, and how many images its steps have seen.

    None where its header does not say, or says it in the words of another version of this project.
    """
    try:
        return Pretrain.model_validate_json(encoder.header["training"]), int(encoder.header["image_passes"])
    except (KeyError, ValueError):
        return None
