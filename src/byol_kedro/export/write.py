"""Writes an encoder in another format, if the features computed from that file equal those of the encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import ENCODER_FEATURES, encode
from byol_kedro.byol.finite import FLOAT32_MAX
from byol_kedro.errors import UserError
from byol_kedro.export import graphs, state_dicts
from byol_kedro.files.atomic import replacing
from byol_kedro.inference import FrozenEncoder

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]

# Relative to the largest feature. With another order of float32 sums, the measured difference is 1e-6 for a ResNet and
# 1e-5 for a transformer.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        write: writes a file.
        features: computes features (N, D) of images (N, 3, S, S) uint8 from that file.
    """

    write: Callable[[FrozenEncoder, Path], None]
    features: Callable[[Path, EncoderHeader, Pixels], Features]


FORMATS = {
    "torchvision": Format(state_dicts.write_torchvision, state_dicts.torchvision_features),
    "timm": Format(state_dicts.write_timm, state_dicts.timm_features),
    "onnx": Format(graphs.write_onnx, graphs.onnx_features),
    "torchscript": Format(graphs.write_torchscript, graphs.torchscript_features),
}


def write(encoder: FrozenEncoder, name: str, path: Path) -> float:
    """Write `encoder` to `path` in the format `name`, replacing an existing file.

    Returns:
        The largest difference of the features on a few images, relative to the largest feature.

    Raises:
        UserError: the format does not support the architecture, a package is missing, a feature is not finite, or the
            features differ by more than `TOLERANCE`. Nothing is written then.
    """
    form, pixels = FORMATS[name], _images(encoder.header.image_size)
    ours = encode(
        encoder.model, pixels, encoder.header, encoder.device,
        name=f"export: {ENCODER_FEATURES} {encoder.version}",
        advice="nothing was written. Choose another encoder with --encoder",
        max_value=FLOAT32_MAX,
    )  # fmt: skip
    with replacing(path) as temporary:
        form.write(encoder, temporary)
        theirs = form.features(temporary, encoder.header, pixels)
        assert theirs.shape == ours.shape, f"{theirs.shape} features, {ours.shape} expected"
        difference = float(np.abs(theirs - ours).max() / np.abs(ours).max())
        if not difference <= TOLERANCE:
            raise UserError(
                f"export: features of the {name} file differ from those of the encoder by {difference:.0e} of the "
                f"largest, expected at most {TOLERANCE:.0e}; {path} was not written. Please report this error"
            )
    return difference


def _images(size: int) -> Pixels:
    """(5, 3, size, size) uint8: three images of noise, a black one and a white one."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 3, size, size), dtype=np.uint8)
    return np.concatenate([noise, np.zeros_like(noise[:1]), np.full_like(noise[:1], 255)])
