"""A pinned encoder is used with the features, probes and images that belong to it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_folders import noise
from tests.support.kedro_runs import Chain, type_kedro_run


@pytest.fixture(scope="module")
def two(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A data_root with two encoders, each evaluated on its own images, and their versions, oldest first."""
    root = Path(shutil.copytree(chain.data_root, tmp_path_factory.mktemp("two") / "data"))
    assert type_kedro_run(root, params="seed=1").exit_code == 0
    older, newer = (path.parent.name for path in Chain(root, chain.outcome).versions("encoder"))
    noise(root / "new.png")
    return root, older, newer


def read_by(root: Path, *words: str) -> dict[str, Any]:
    """Run `words` and return the versions it has read, by entry."""
    outcome = type_kedro_run(root, *words, params=f"predict_root={root}")
    assert outcome.exit_code == 0, outcome.output
    manifest = json.loads(Chain(root, outcome).versions("run_manifest")[-1].read_text("utf-8"))
    return {name: read["version"] for name, read in manifest["reads"].items()}


@pytest.mark.parametrize("pipeline", ["predict", "report"])
def test_pinned_encoder_pins_everything_made_with_it(two: tuple[Path, str, str], pipeline: str) -> None:
    root, older, _ = two
    assert set(read_by(root, f"--pipelines={pipeline}", f"--load-versions=encoder:{older}").values()) == {older}


def test_predict_command_pins_the_encoder(two: tuple[Path, str, str]) -> None:
    root, older, _ = two
    outcome = type_kedro_run(root, "--pipelines=report", f"--load-versions=encoder:{older}")
    assert outcome.lines[-1].endswith(f" --load-versions=encoder:{older}")


def test_newest_versions_are_read_without_a_pin(two: tuple[Path, str, str]) -> None:
    root, _, newer = two
    assert set(read_by(root, "--pipelines=predict").values()) == {newer}


def test_explicit_pin_is_kept(two: tuple[Path, str, str]) -> None:
    root, older, newer = two
    pins = f"--load-versions=encoder:{older},probes:{newer}"  # kNN does not use the artifact
    read = read_by(root, "--pipelines=predict", pins, "--params=predict.probe=knn")
    assert read.pop("probes") == newer
    assert set(read.values()) == {older}


def test_pinned_encoder_is_evaluated_on_the_newest_images(two: tuple[Path, str, str], tmp_path: Path) -> None:
    root, older, newer = Path(shutil.copytree(two[0], tmp_path / "data")), *two[1:]
    read = read_by(root, "--pipelines=evaluate", f"--load-versions=encoder:{older}")
    assert {read["encoder"], read["training_history"]} == {older}
    assert {read[name] for name in ("images_train", "images_test", "data_summary")} == {newer}
    answered = read_by(root, "--pipelines=predict", f"--load-versions=encoder:{older}")
    assert answered["images_train"] == newer
    assert answered["latents_train"] > newer


@pytest.mark.parametrize("pipeline", ["predict", "probes", "report"])
def test_features_are_read_with_their_own_images(two: tuple[Path, str, str], tmp_path: Path, pipeline: str) -> None:
    root, newer = Path(shutil.copytree(two[0], tmp_path / "data")), two[2]
    assert type_kedro_run(root, "--pipelines=ingest", params="seed=5").exit_code == 0
    assert set(read_by(root, f"--pipelines={pipeline}").values()) == {newer}


def test_predict_refuses_an_encoder_without_evaluation(two: tuple[Path, str, str], tmp_path: Path) -> None:
    root = Path(shutil.copytree(two[0], tmp_path / "data"))
    assert type_kedro_run(root, "--pipelines=pretrain", params="seed=2").exit_code == 0
    never = max(path.name for path in root.glob("*/encoder.safetensors/*"))
    outcome = type_kedro_run(
        root, "--pipelines=predict", f"--load-versions=encoder:{never}", params=f"predict_root={root}"
    )
    assert f"run the pipeline evaluate again for encoder {never}" in outcome.lines[-1]
