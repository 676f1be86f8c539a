"""Runs of `kedro export`, and comparisons of features."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder, to_arrays
from byol_kedro.byol.networks import create_encoder, feature_dim
from byol_kedro.files.sealed import fingerprint
from byol_kedro.inference import FrozenEncoder
from tests.support.encoders import HEADER, OLDER, moved
from tests.support.kedro_runs import ROOT, Outcome
from tests.support.trainings import CPU

PIXELS = np.random.default_rng(1).integers(0, 256, (7, 3, 32, 32), dtype=np.uint8)


def frozen(architecture: str = "resnet18", stem: str = "imagenet") -> FrozenEncoder:
    model = moved(create_encoder(architecture, stem, False, 0, image_size=32))
    changes = {"architecture": architecture, "stem": stem, "feature_dim": feature_dim(model), "image_size": 32}
    header = EncoderHeader(**{**vars(HEADER), **changes})
    arrays = to_arrays(model)
    return FrozenEncoder(header, OLDER, fingerprint(arrays), restore_encoder(header, arrays), CPU)


def normalized(encoder: FrozenEncoder) -> torch.Tensor:
    """`PIXELS`, normalized with numpy."""
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (encoder.header.mean, encoder.header.std))
    return torch.from_numpy((PIXELS.astype(np.float32) / 255 - mean) / std)


def assert_same(found, encoder: FrozenEncoder, tolerance: float = 1e-5) -> None:
    expected = encoder(PIXELS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def type_export(folder: Path, *words: str) -> Outcome:
    """`kedro export <words>` in this process, for the encoders in `data` below `folder`."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        result = CliRunner().invoke(cli, ["export", "--env=test", f"--params=data_root={folder / 'data'}", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)
