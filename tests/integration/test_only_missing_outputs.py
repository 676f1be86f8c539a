"""Runs with --only-missing-outputs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kedro_runs import Chain, manifests, type_kedro_run
from tests.support.run_builder import type_results


@pytest.fixture
def unfinished(chain_copy: Path) -> Iterator[Path]:
    """The artifacts of a run that ended before it wrote its results."""
    for name in ("results", "results_table", "report", "top1_bars", "confusion_matrix"):
        (folder,) = chain_copy.glob(f"*/{name}.*")
        shutil.rmtree(folder)
    return chain_copy


def encoders(root: Path) -> list[Path]:
    return sorted(root.glob("*/encoder.safetensors/*/encoder.safetensors"))


def test_the_manifest_lists_reads_and_writes_of_the_nodes_that_ran(unfinished: Path) -> None:
    outcome = type_kedro_run(unfinished, "--only-missing-outputs")
    assert outcome.exit_code == 0, outcome.output
    first, second = manifests(unfinished)
    assert second["reads"]["encoder"]["version"] == second["reads"]["images_test"]["version"] == first["run_id"]
    assert "results" in second["writes"]
    assert not {"encoder", "images_test", "latents_train"} & set(second["writes"])
    assert f"Encoder: {first['run_id']}" in outcome.lines


def test_prune_keeps_what_a_partial_run_has_read(unfinished: Path) -> None:
    assert type_kedro_run(unfinished, "--only-missing-outputs").exit_code == 0
    assert type_results(unfinished, "prune", "--keep=1").exit_code == 0
    assert encoders(unfinished)
    assert list(unfinished.glob("*/images_train.npy/*/images_train.npy"))
    assert type_kedro_run(unfinished, "--pipelines=evaluate").exit_code == 0


def test_a_run_without_nodes_shows_and_saves_nothing(chain_copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcome = type_kedro_run(chain_copy, "--only-missing-outputs")
    assert outcome.exit_code == 0
    assert "nothing was run" in caplog.text
    assert "Top-1" not in outcome.output
    assert len(manifests(chain_copy)) == 1


def test_changed_parameters_are_named(unfinished: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcome = type_kedro_run(unfinished, "--only-missing-outputs", params="pretrain.epochs=7")
    assert outcome.exit_code == 0
    (message,) = (record.message for record in caplog.records if "made with other parameters" in record.message)
    assert "pretrain.epochs (2 before, 7 now)" in message
    assert len(encoders(unfinished)) == 1


def test_unchanged_parameters_cause_no_warning(unfinished: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert type_kedro_run(unfinished, "--only-missing-outputs").exit_code == 0
    assert "other parameters" not in caplog.text
    assert len(Chain(unfinished, None).versions("results")) == 1
