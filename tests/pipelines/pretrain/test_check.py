"""What could break: a demand of the training that is told after ingest, or is told of other images than are there."""

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
        (f"{PLAIN},pretrain.encoder.name=resnet18.a1_in1k", "names the weights 'a1_in1k'"),
        (f"{PLAIN},pretrain.encoder.name=hf-hub:timm/resnet18", "timm has no architecture 'hf-hub:timm/resnet18'"),
        (f"{PLAIN},pretrain.encoder.stem=small,pretrain.encoder.name=test_vit", "stem small replaces a ResNet's"),
        ("pretrain.encoder.name=test_vit", "test_vit has no zero-initialized residual branches"),
        ("device=cuda:99", "device: cuda:99 is asked for"),
        ("pretrain.init_from=nosuch.pth", "pretrain.init_from: nosuch.pth does not exist"),
    ],
)
def test_what_no_training_can_do_is_told_before_ingest(
    kedro_run: Run, tmp_path: Path, params: str, message: str
) -> None:
    assert message in error_of(kedro_run(params=params))
    assert not artifacts(tmp_path)


def test_a_file_that_does_not_fit_is_told_before_ingest(kedro_run: Run, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "w.pth")
    assert "does not fit this network" in error_of(kedro_run(params=f"pretrain.init_from={tmp_path}/w.pth"))
    assert artifacts(tmp_path) == {tmp_path / "w.pth"}


def test_a_training_alone_is_tried_on_the_images_that_are_there(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    params = f"{PLAIN},pretrain.encoder.name=inception_v3,ingest.image_size=96"
    outcome = type_kedro_run(chain_copy, "--pipelines=pretrain", params=params)
    assert "inception_v3 cannot be trained on images of 16 × 16 pixels" in error_of(outcome)
    assert artifacts(chain_copy) == before


def test_a_run_without_training_asks_nothing_of_the_encoder(chain_copy: Path) -> None:
    outcome = type_kedro_run(chain_copy, "--pipelines=report", params=f"{PLAIN},pretrain.encoder.name=inception_v3")
    assert outcome.exit_code == 0, outcome.output
