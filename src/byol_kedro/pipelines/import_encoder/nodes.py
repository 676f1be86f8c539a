"""The node that makes an encoder from weights that were trained elsewhere."""

import dataclasses

import pandas as pd

from byol_kedro.byol.encoder import to_arrays
from byol_kedro.byol.imported import SEPARATOR, ImportedEncoder, import_weights, split_source
from byol_kedro.byol.monitor import Row
from byol_kedro.byol.resize import shorter_side
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.files.hub import WeightsUnavailableError
from byol_kedro.inference import encoder_file
from byol_kedro.log import get_logger
from byol_kedro.parameters import ImportEncoder

logger = get_logger(__name__)
PARAMETER = "encoder_from"


def import_encoder(encoder_from: str | None, settings: ImportEncoder, seed: int) -> tuple[Tensors, pd.DataFrame]:
    """Import an encoder from a file, the data_root of another project folder, or weights by timm's name.

    Returns:
        The encoder, whose header says what it was imported from and how images are prepared; and a training history
        without rows.

    Raises:
        UserError: as `read_source`.
    """
    found = read_source(encoder_from, settings, seed)
    header = found.header
    logger.info(
        "imported %s from %s (sha256 %s…): %d features; images resized by %s to %d px, center of %d×%d",
        header.architecture, header.imported_from, header.imported_sha256[:12], header.feature_dim, header.resample,
        shorter_side(header.image_size, header.crop), header.image_size, header.image_size,
    )  # fmt: skip
    history = pd.DataFrame(columns=[field.name for field in dataclasses.fields(Row)])
    return Tensors(to_arrays(found.model), {**found.training, **header.to_dict(), "weights": found.weights}), history


def read_source(
    encoder_from: str | None, settings: ImportEncoder, seed: int = 0, *, quiet: bool = False
) -> ImportedEncoder:
    """Read the encoder that `encoder_from` names.

    Raises:
        UserError: it is not given or unknown to timm; the file is missing, damaged, contains code or another network;
            or the weights are neither cached nor downloadable.
    """
    if encoder_from is None:
        raise UserError(
            f"{PARAMETER}: no encoder is given; expected a file of weights, the data_root of another project or a name "
            f"of weights in timm, as in --params {PARAMETER}=resnet18.a1_in1k"
        )
    name, path = split_source(encoder_from, PARAMETER)
    try:
        file = encoder_file(path, PARAMETER) if path and path.is_dir() else path
        return import_weights(name, file, settings, PARAMETER, seed=seed, quiet=quiet)
    except WeightsUnavailableError as error:
        raise UserError(
            f"{PARAMETER}: the weights {name} are not available ({error}); without network access, give a file: "
            f"{name}{SEPARATOR}FILE"
        ) from error
