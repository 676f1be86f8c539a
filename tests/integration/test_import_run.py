"""An imported encoder up to the report, the predictions and the list of runs."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from safetensors.torch import save_file

from byol_kedro.inference import open_encoder
from tests.support.hub import NAME, trained_weights
from tests.support.kedro_runs import Chain, Outcome, artifacts, error_of, type_kedro_run
from tests.support.originals import assert_features_equal, timm_features
from tests.support.run_builder import type_results


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_file(trained_weights(1), tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_everything_works_with_an_imported_encoder(chain_copy: Path, weights: Path) -> None:
    given = f"encoder_from={NAME}@{weights}"
    chain = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=import_encoder,evaluate", params=given))
    assert chain.outcome.exit_code == 0, chain.outcome.output
    pixels = np.load(chain.versions("images_test")[-1])
    found = load_file(chain.versions("latents_test")[-1])["features"]
    assert_features_equal(found, timm_features(NAME, trained_weights(1), pixels))
    rows = pd.read_csv(chain.versions("results")[-1]).query("source == 'measured' and protocol == 'logistic'")
    assert rows["features"].tolist()[0] == "imported encoder"
    assert rows["data"].tolist() == ["other images → photos", "photos", "photos"]
    assert pd.isna(rows["epochs"].iloc[0])
    report = chain.versions("report")[-1].read_text("utf-8")
    assert "<title>Imported encoder: test_resnet from mine.safetensors</title>" in report
    assert "The imported encoder reaches " in report
    assert not re.findall(r"trained with BYOL|features of BYOL|of BYOL with", report)
    assert "Few images" not in chain.outcome.output
    assert len(pd.read_csv(chain.versions("training_history")[-1])) == 0
    predicted = type_kedro_run(chain_copy, "--pipelines=predict", params=f"predict_root={images_in(chain_copy)}")
    assert predicted.exit_code == 0, predicted.output
    listed = type_results(chain_copy).output
    assert "imported, other images → photos" in listed
    assert open_encoder(chain_copy, "cpu").header.imported_from == "mine.safetensors"
    again = type_kedro_run(
        chain_copy, "--pipelines=evaluate", f"--load-versions=encoder:{chain.versions('encoder')[0].parent.name}"
    )
    assert again.exit_code == 0, again.output
    assert "trained with BYOL on" in chain.versions("report")[-1].read_text("utf-8")


def images_in(root: Path) -> Path:
    from PIL import Image  # noqa: PLC0415

    (root / "new").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(root / "new/a.png")
    return root / "new"


def test_bad_weights_end_the_run_before_an_image_is_read(tmp_path: Path) -> None:
    outcome = type_kedro_run(tmp_path, "--pipelines=ingest,import_encoder", params="encoder_from=gone.pth")
    assert error_of(outcome).startswith("Error: encoder_from: gone.pth does not exist")
    assert not artifacts(tmp_path)


def test_an_encoder_is_either_trained_or_imported(kedro_run: Callable[..., Outcome]) -> None:
    message = error_of(kedro_run("--pipelines=ingest,pretrain,import_encoder", params="encoder_from=resnet18"))
    assert "leave out pretrain or import_encoder" in message


def test_a_run_that_imports_nothing_says_so(kedro_run: Callable[..., Outcome]) -> None:
    outcome = kedro_run("--pipelines=ingest", params="encoder_from=resnet18")
    assert "no effect of encoder_from: this run imports no encoder" in " ".join(outcome.output.split())
