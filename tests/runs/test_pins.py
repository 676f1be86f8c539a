"""What could break: a pinned encoder that meets the features, probes or images of another one."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.image_folders import noise
from tests.support.kedro_runs import Chain, type_kedro_run


@pytest.fixture(scope="module")
def two(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A data_root with two encoders, each evaluated on images of its own, and their versions, the older one first."""
    root = Path(shutil.copytree(chain.data_root, tmp_path_factory.mktemp("two") / "data"))
    assert type_kedro_run(root, params="seed=1").exit_code == 0
    older, newer = (path.parent.name for path in Chain(root, chain.outcome).versions("encoder"))
    noise(root / "new.png")
    return root, older, newer


def read_by(root: Path, *words: str) -> dict[str, Any]:
    """Entry → version of what a run of `words` says that it has read."""
    outcome = type_kedro_run(root, *words, params=f"predict_root={root}")
    assert outcome.exit_code == 0, outcome.output
    manifest = json.loads(Chain(root, outcome).versions("run_manifest")[-1].read_text("utf-8"))
    return {name: read["version"] for name, read in manifest["reads"].items()}


@pytest.mark.parametrize("pipeline", ["predict", "report"])
def test_with_a_pinned_encoder_all_that_was_made_with_it_is_read(two: tuple[Path, str, str], pipeline: str) -> None:
    root, older, _ = two
    assert set(read_by(root, f"--pipelines={pipeline}", f"--load-versions=encoder:{older}").values()) == {older}


def test_the_last_screen_of_a_pinned_encoder_asks_that_encoder_about_a_folder(two: tuple[Path, str, str]) -> None:
    root, older, _ = two
    outcome = type_kedro_run(root, "--pipelines=report", f"--load-versions=encoder:{older}")
    assert outcome.lines[-1].endswith(f" --load-versions=encoder:{older}")


def test_without_a_pin_the_newest_is_read(two: tuple[Path, str, str]) -> None:
    root, _, newer = two
    assert set(read_by(root, "--pipelines=predict").values()) == {newer}


def test_what_is_pinned_itself_stays(two: tuple[Path, str, str]) -> None:
    root, older, newer = two
    pins = f"--load-versions=encoder:{older},probes:{newer}"  # kNN does not use the artifact
    read = read_by(root, "--pipelines=predict", pins, "--params=predict.probe=knn")
    assert read.pop("probes") == newer
    assert set(read.values()) == {older}


def test_a_pinned_encoder_is_evaluated_on_the_newest_images_and_answers_with_these(
    two: tuple[Path, str, str], tmp_path: Path
) -> None:
    root, older, newer = Path(shutil.copytree(two[0], tmp_path / "data")), *two[1:]
    read = read_by(root, "--pipelines=evaluate", f"--load-versions=encoder:{older}")
    assert {read["encoder"], read["training_history"]} == {older}
    assert {read[name] for name in ("images_train", "images_test", "data_summary")} == {newer}
    answered = read_by(root, "--pipelines=predict", f"--load-versions=encoder:{older}")
    assert answered["images_train"] == newer
    assert answered["latents_train"] > newer


@pytest.mark.parametrize("pipeline", ["predict", "probes", "report"])
def test_newer_images_do_not_come_between_features_and_their_own(
    two: tuple[Path, str, str], tmp_path: Path, pipeline: str
) -> None:
    root, newer = Path(shutil.copytree(two[0], tmp_path / "data")), two[2]
    assert type_kedro_run(root, "--pipelines=ingest", params="seed=5").exit_code == 0
    assert set(read_by(root, f"--pipelines={pipeline}").values()) == {newer}


def test_an_encoder_that_was_never_evaluated_is_refused_with_what_to_do(
    two: tuple[Path, str, str], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(two[0], tmp_path / "data"))
    assert type_kedro_run(root, "--pipelines=pretrain", params="seed=2").exit_code == 0
    never = max(path.name for path in root.glob("*/encoder.safetensors/*"))
    outcome = type_kedro_run(
        root, "--pipelines=predict", f"--load-versions=encoder:{never}", params=f"predict_root={root}"
    )
    assert f"run the pipeline evaluate again for encoder {never}" in outcome.lines[-1]
