"""Which encoder and which images an artifact was derived from."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, get_args

from pydantic import BaseModel

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.names import BYOL, IMPORTED
from byol_kedro.parameters import Pretrain


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What an artifact was derived from, as kept in the header of its file.

    Every field is optional, so that the header of another version of this project remains readable.

    Attributes:
        encoder_version: version of the encoder.
        encoder_fingerprint: fingerprint of its weights.
        data: source of the images.
        data_fingerprint: fingerprints of the images of each split, joined by a colon.
    """

    encoder_version: str = ""
    encoder_fingerprint: str = ""
    data: str = ""
    data_fingerprint: str = ""

    @classmethod
    def of(cls, encoder: Tensors, *splits: Images) -> Self:
        """The provenance of an artifact derived from `encoder` and from the images of `splits`, if any."""
        return cls(
            encoder_version=encoder.header["version"],
            encoder_fingerprint=encoder.header["fingerprint"],
            data=splits[0].source if splits else "",
            data_fingerprint=joint_fingerprint(*splits),
        )

    @classmethod
    def from_header(cls, header: Mapping[str, str]) -> Self:
        """Read the fields from a header; other entries are ignored, a missing field is empty."""
        return cls(**{field.name: header.get(field.name, "") for field in dataclasses.fields(cls)})

    def to_header(self) -> dict[str, str]:
        """The fields as entries of a header, without empty ones."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}

    def on(self, images_test: Images) -> dict[str, str]:
        """The entries of metrics that were computed on `images_test` with the same encoder."""
        metrics = Provenance(
            encoder_version=self.encoder_version, data=images_test.source, data_fingerprint=images_test.fingerprint
        )
        return metrics.to_header()


def features_name(header: Mapping[str, str]) -> str:
    """The name of an encoder's features in tables and figures, by its header."""
    return IMPORTED if header.get("imported_from") else BYOL


def metrics_of(encoder: Tensors, images_test: Images, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The metrics `rows` of features of `encoder` on test images, with their provenance."""
    return {**Provenance.of(encoder).on(images_test), "rows": rows}


def joint_fingerprint(*splits: Images) -> str:
    """The fingerprints of the images of all splits, in the given order."""
    return ":".join(images.fingerprint for images in splits)


def check_same_encoder(encoder: Tensors, *derived: Tensors, again: str = "extract") -> None:
    """Check that artifacts were derived from this encoder.

    Args:
        encoder: the encoder of this run.
        derived: features, probes or a pair model.
        again: the pipeline that derives them, for the error message.

    Raises:
        UserError: an artifact was derived from another encoder.
    """
    expected = Provenance.of(encoder)
    for tensors in derived:
        found = Provenance.from_header(tensors.header)
        version = found.encoder_version or "unknown"
        if (version, found.encoder_fingerprint) != (expected.encoder_version, expected.encoder_fingerprint):
            raise UserError(
                f"features of encoder {version} do not match encoder {expected.encoder_version}: run the pipeline "
                f"{again} again for encoder {expected.encoder_version}, or pin the other one with "
                f"--load-versions encoder:{version}"
            )


def check_same_images(latents: Tensors, *splits: Images) -> None:
    """Check that features were computed from the images of `splits`, in this order.

    Raises:
        UserError: they were computed from other images.
    """
    found, expected = Provenance.from_header(latents.header), joint_fingerprint(*splits)
    if found.data_fingerprint != expected:
        raise UserError(
            f"features of {found.data} images {found.data_fingerprint[:12]} do not match the {splits[0].source} images "
            f"{expected[:12]}: run the pipeline extract again, or pin the images with --load-versions"
        )


def check_same_training(probe: Tensors, latents: Tensors) -> None:
    """Check that a probe was fitted to features of the same images as `latents`.

    Raises:
        UserError: it was fitted to features of other images.
    """
    found, expected = (Provenance.from_header(tensors.header) for tensors in (probe, latents))
    if found.data_fingerprint != expected.data_fingerprint:
        raise UserError(
            f"a probe of training images {found.data_fingerprint[:12] or 'unknown'} does not match features of "
            f"{expected.data} images {expected.data_fingerprint[:12]}: run the pipeline evaluate again, or pin "
            "latents_train and images_train with --load-versions"
        )


def image_names(latents: Tensors, images: Images) -> list[str]:
    """The image name of each row of the features.

    Raises:
        UserError: the features were computed from other images.
    """
    check_same_images(latents, images)
    return [images.names[row] for row in latents["index"]]


def training_of(encoder: Tensors) -> tuple[Pretrain, int] | None:
    """The parameters of the encoder's training, and the number of images processed in its steps.

    Parameters that no longer exist are ignored. Parameters that did not exist then are None if they are optional.

    Returns:
        None if the header does not contain them, or lacks a parameter that is not optional.
    """
    try:
        parameters = _known_fields(Pretrain, json.loads(encoder.header["training"]))
        return Pretrain.model_validate(parameters), int(encoder.header["image_passes"])
    except (KeyError, ValueError):
        return None


def _known_fields(block: type[BaseModel], values: Any) -> Any:
    """The `values` of the fields of `block`; a missing field that may be None is None."""
    if not isinstance(values, dict):
        return values
    known: dict[str, Any] = {}
    for name, field in block.model_fields.items():
        kind = field.annotation
        if name not in values:
            if type(None) in get_args(kind):
                known[name] = None
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            known[name] = _known_fields(kind, values[name])
        else:
            known[name] = values[name]
    return known
