"""Runs of the pipeline predict."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import Version

from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.parameters import Predict
from tests.support.image_folders import noise
from tests.support.kedro_runs import ROOT, Chain, artifacts, error_of, type_kedro_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three new images."""
    (tmp_path / "new images").mkdir()
    for seed in range(3):
        noise(tmp_path / "new images" / f"{seed}.png", seed)
    return tmp_path / "new images"


def test_predict_writes_one_version_and_prints_its_path(chain_copy: Path, folder: Path) -> None:
    outcome = type_kedro_run(chain_copy, "--pipeline=predict", params=f"predict_root={folder}")
    (written,) = Chain(chain_copy, outcome).versions("predicted_images")
    assert outcome.exit_code == 0, outcome.output
    assert outcome.lines[-1] == f"Predictions: {written}"
    assert outcome.output.count(str(written)) == 1
    assert len(pd.read_parquet(written)) == sum(1 for _ in folder.rglob("*.png"))
    manifest = json.loads(Chain(chain_copy, outcome).versions("run_manifest")[-1].read_text("utf-8"))
    assert manifest["parameters"]["predict_root"] == str(folder)
    assert manifest["reads"]["encoder"]["version"] == Chain(chain_copy, outcome).versions("encoder")[0].parent.name


def train_another(data_root: Path) -> str:
    """Save a newer encoder and return the version of the older one."""
    (folder,) = data_root.glob("*/encoder.safetensors")
    (old,) = folder.iterdir()
    encoder = TensorsDataset(filepath=str(old / folder.name)).load()
    moved = {name: array + np.ones_like(array) for name, array in encoder.arrays.items()}
    newer = TensorsDataset(filepath=str(folder), version=Version(None, "2999-01-01T00.00.00.000Z"))
    newer.save(Tensors(moved, encoder.header))
    return old.name


def test_a_probe_of_other_train_images_is_refused(chain_copy: Path, folder: Path) -> None:
    assert type_kedro_run(chain_copy, "--pipelines=ingest,extract", params="seed=5").exit_code == 0
    before = artifacts(chain_copy)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=predict", params=f"predict_root={folder}"))
    assert message.startswith("Error: a probe of training images ")
    assert "run the pipeline evaluate again" in message
    assert artifacts(chain_copy) == before


def test_the_probe_of_an_older_encoder_is_refused(chain_copy: Path, folder: Path) -> None:
    pinned = train_another(chain_copy)
    before = artifacts(chain_copy)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=predict", params=f"predict_root={folder}"))
    assert "run the pipeline evaluate again for encoder 2999-01-01T00.00.00.000Z" in message
    assert message.endswith(f"or pin the other one with --load-versions encoder:{pinned}")
    assert artifacts(chain_copy) == before


def test_a_pinned_older_encoder_is_used(chain_copy: Path, folder: Path) -> None:
    pin = f"--load-versions=encoder:{train_another(chain_copy)}"
    outcome = type_kedro_run(chain_copy, "--pipelines=predict", pin, params=f"predict_root={folder}")
    assert outcome.exit_code == 0, outcome.output


def test_a_missing_predict_root_is_one_line(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=predict"))
    assert message.startswith("Error: predict_root, the folder of new images, is not set")
    assert artifacts(chain_copy) == before


def test_the_default_probe_is_logistic() -> None:
    predict_block = yaml.safe_load((ROOT / "conf/base/parameters_predict.yml").read_text("utf-8"))["predict"]
    assert Predict.model_validate(predict_block).probe == "logistic"
