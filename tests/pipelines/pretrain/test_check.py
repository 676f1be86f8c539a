"""Checks of the training before a run writes anything."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.snapshot import take_snapshot
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.errors import UserError
from byol_kedro.pipelines.pretrain.check import check_free_space, stored_bytes
from tests.support.kedro_runs import Outcome, artifacts, error_of, type_kedro_run
from tests.support.trainings import CPU, SIZE, recipe, small_state

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


@pytest.mark.parametrize(("name", "momentum"), [("sgd", 0.9), ("sgd", 0.0), ("adamw", 0.9), ("lars", 0.9)])
def test_bytes_are_those_of_a_snapshot_after_a_step(name: str, momentum: float) -> None:
    optimizer = {"name": name, "momentum": momentum}
    state = small_state(optimizer=optimizer)
    for parameter in state.network.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    state.optimizer.step()
    arrays, _ = take_snapshot(state, Monitor(CPU))
    sizes = {part: sum(a.nbytes for n, a in arrays.items() if n.startswith(part)) for part in ("network", "optimizer")}
    assert stored_bytes(recipe(optimizer=optimizer, precision="float16"), SIZE) == (*sizes.values(),)


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the free space of every disk."""
    return lambda free: monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 0, free))


WEIGHTS, OPTIMIZER = stored_bytes(recipe(), SIZE)
ONE = 2 * WEIGHTS + OPTIMIZER  # a checkpoint has all weights, encoder and heads have them again


def test_disk_that_cannot_hold_the_training(tmp_path: Path, free_bytes: Callable[[int], None]) -> None:
    free_bytes(ONE - 1)
    with pytest.raises(UserError) as error:
        check_free_space(recipe(), SIZE, Checkpoints(tmp_path / "not/yet"))
    assert str(error.value) == (
        f"pretrain: the disk is too full for this training: 7.5 MB free in {tmp_path}, 7.5 MB needed (a checkpoint of "
        "4.5 MB, encoder and heads of 3.0 MB); free some space or choose another folder with --params data_root=..."
    )


@pytest.mark.parametrize(("free", "keep", "warns"), [(ONE, 2, True), (ONE, 1, True), (22 * 10**6, 3, False)])
def test_disk_for_fewer_checkpoints_than_are_kept(
    tmp_path: Path, free_bytes: Callable[[int], None], caplog: pytest.LogCaptureFixture,
    free: int, keep: int, warns: bool,
) -> None:  # fmt: skip
    free_bytes(free)
    check_free_space(recipe(checkpoint={"keep": keep}), SIZE, Checkpoints(tmp_path))
    assert (f"pretrain.checkpoint.keep={keep} needs" in caplog.text) == warns


def test_checkpoint_that_exists_needs_no_room(tmp_path: Path, free_bytes: Callable[[int], None]) -> None:
    checkpoint = tmp_path / "f00d/step-000000007.safetensors"
    checkpoint.parent.mkdir()
    with checkpoint.open("wb") as file:
        file.truncate(WEIGHTS + OPTIMIZER)
    free_bytes(WEIGHTS)
    check_free_space(recipe(), SIZE, Checkpoints(tmp_path))
    free_bytes(WEIGHTS - 1)
    with pytest.raises(UserError, match="too full"):
        check_free_space(recipe(), SIZE, Checkpoints(tmp_path))


def test_full_disk_is_reported_before_ingest(kedro_run: Run, tmp_path: Path, free_bytes: Callable[[int], None]) -> None:
    free_bytes(1000)
    assert "pretrain: the disk is too full for this training: 1.0 kB free in" in error_of(kedro_run())
    assert not artifacts(tmp_path)
