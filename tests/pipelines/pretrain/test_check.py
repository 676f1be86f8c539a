"""Checks of the training before a run writes anything."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.kedro_runs import Outcome, artifacts, error_of, type_kedro_run

Run = Callable[..., Outcome]
PLAIN = "pretrain.encoder.zero_init_residual=false"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (f"{PLAIN},pretrain.encoder.name=inception_v3", "inception_v3 cannot be trained on images of 16 × 16 pixels: "),
        (f"{PLAIN},pretrain.encoder.name=resnet18.a1_in1k", "includes the weights 'a1_in1k'"),
        (f"{PLAIN},pretrain.encoder.name=hf-hub:timm/resnet18", "timm has no architecture 'hf-hub:timm/resnet18'"),
        (
            f"{PLAIN},pretrain.encoder.stem=small,pretrain.encoder.name=test_vit",
            "stem small replaces",
        ),
        ("pretrain.encoder.name=test_vit", "test_vit has no zero-initialized residual branches"),
        ("device=cuda:99", "device: cuda:99 is not available"),
        ("pretrain.init_from=nosuch.pth", "pretrain.init_from: nosuch.pth does not exist"),
    ],
)
def test_impossible_parameters_are_reported_before_ingest(
    kedro_run: Run, tmp_path: Path, params: str, message: str
) -> None:
    assert message in error_of(kedro_run(params=params))
    assert not artifacts(tmp_path)


def test_mismatching_weights_are_reported_before_ingest(kedro_run: Run, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "w.pth")
    assert "does not match this network" in error_of(kedro_run(params=f"pretrain.init_from={tmp_path}/w.pth"))
    assert artifacts(tmp_path) == {tmp_path / "w.pth"}


def test_without_ingest_the_existing_images_are_checked(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    params = f"{PLAIN},pretrain.encoder.name=inception_v3,ingest.image_size=96"
    outcome = type_kedro_run(chain_copy, "--pipelines=pretrain", params=params)
    assert "inception_v3 cannot be trained on images of 16 × 16 pixels" in error_of(outcome)
    assert artifacts(chain_copy) == before


def test_a_run_without_pretraining_does_not_check_the_encoder(chain_copy: Path) -> None:
    outcome = type_kedro_run(chain_copy, "--pipelines=report", params=f"{PLAIN},pretrain.encoder.name=inception_v3")
    assert outcome.exit_code == 0, outcome.output
