"""Writes an encoder for another program; what that makes of the file has to be what we make of the encoder."""

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

# Of the largest feature. Sums of float32 in another order were measured to differ by 1e-6 of it in a ResNet, and by
# 1e-5 in a transformer.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Format:
    """How a file is written, and the features (N, D) that it gives for images (N, 3, S, S) uint8."""

    write: Callable[[FrozenEncoder, Path], None]
    features: Callable[[Path, EncoderHeader, Pixels], Features]


FORMATS = {
    "torchvision": Format(state_dicts.write_torchvision, state_dicts.torchvision_features),
    "timm": Format(state_dicts.write_timm, state_dicts.timm_features),
    "onnx": Format(graphs.write_onnx, graphs.onnx_features),
    "torchscript": Format(graphs.write_torchscript, graphs.torchscript_features),
}


def write(encoder: FrozenEncoder, name: str, path: Path) -> float:
    """Write `encoder` to `path` in the format `name`; a file that was there is replaced.

    Returns:
        The largest difference from our features on a few images, in units of the largest feature.

    Raises:
        UserError: the format cannot hold this architecture, a package is missing, the encoder gives no finite features,
            or the file's differ by more than `TOLERANCE`; then nothing is written.
    """
    form, pixels = FORMATS[name], _images(encoder.header.image_size)
    ours = encode(
        encoder.model, pixels, encoder.header, encoder.device,
        name=f"export: {ENCODER_FEATURES} {encoder.version}",
        advice="nothing was written. Take another one with --encoder",
        max_value=FLOAT32_MAX,
    )  # fmt: skip
    with replacing(path) as temporary:
        form.write(encoder, temporary)
        theirs = form.features(temporary, encoder.header, pixels)
        assert theirs.shape == ours.shape, f"{theirs.shape} features, {ours.shape} expected"
        difference = float(np.abs(theirs - ours).max() / np.abs(ours).max())
        if not difference <= TOLERANCE:
            raise UserError(
                f"export: the features of the {name} file differ from ours by {difference:.0e} of the largest, at "
                f"most {TOLERANCE:.0e} expected; {path} was not written. Please report it"
            )
    return difference


def _images(size: int) -> Pixels:
    """(5, 3, size, size) uint8: three of noise, a black and a white one."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 3, size, size), dtype=np.uint8)
    return np.concatenate([noise, np.zeros_like(noise[:1]), np.full_like(noise[:1], 255)])
