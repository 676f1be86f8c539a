"""Commands on runs with damaged files."""

import json
from pathlib import Path

import numpy as np
import pytest

from byol_kedro import load_encoder
from byol_kedro.errors import UserError
from tests.support.damage import DAMAGE, flip
from tests.support.exports import type_export
from tests.support.kedro_runs import Chain, Outcome, artifacts, error_of, type_kedro_run
from tests.support.run_builder import BYOL_LOGISTIC, RunBuilder, right, type_results

OLD, MIDDLE, NEW = (f"2026-03-0{day}T10.00.00.000Z" for day in (1, 2, 3))


def only_file(root: Path, entry: str) -> Path:
    (path,) = Chain(root, Outcome(0, "")).versions(entry)
    return path


@pytest.mark.parametrize("where", ["a weight", "the header"])
def test_an_encoder_with_a_flipped_bit_is_refused(chain_copy: Path, where: str) -> None:
    path = only_file(chain_copy, "encoder")
    text = b'"recipe":"'
    flip(path, -5 if where == "a weight" else path.read_bytes().index(text) + len(text), bit=2)
    before = artifacts(chain_copy)
    of = f"encoder of {path.parent.name}: {path}"
    message = error_of(type_kedro_run(chain_copy, "--pipelines=extract"))
    assert message.startswith(f"Error: {of} h")  # "holds other bytes" or "has a header that was changed"
    assert "; run the pipeline pretrain again, or restore the file" in message
    outcome = type_export(chain_copy.parent, "--format=timm", f"--output={chain_copy.parent / 'e.safetensors'}")
    assert f"Error: load_encoder: {path} h" in outcome.output
    with pytest.raises(UserError, match=f"^load_encoder: {path} h.*; choose an intact file$"):
        load_encoder(chain_copy)
    start = f"pretrain.init_from={path},pretrain.epochs=1"
    message = error_of(type_kedro_run(chain_copy, "--pipelines=pretrain", params=start))
    assert f"pretrain.init_from: {path} h" in message
    assert artifacts(chain_copy) == before


def test_damaged_images_are_neither_read_nor_linked(chain_copy: Path) -> None:
    path = only_file(chain_copy, "images_test")
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes(4000))
    message = error_of(type_kedro_run(chain_copy, "--pipelines=extract"))
    assert f"images_test of {path.parent.name}: {path} has changed since it was written" in message
    assert "; run the pipeline ingest again" in message
    outcome = type_kedro_run(chain_copy, "--pipelines=ingest")
    assert outcome.exit_code == 0, outcome.output
    assert "images_test: all images are read again" in " ".join(outcome.output.split())
    old, new = Chain(chain_copy, outcome).versions("images_test")
    assert new.read_bytes() == whole
    marks = [json.loads(at.with_suffix(".json").read_text("utf-8"))["fingerprint"] for at in (old, new)]
    assert marks[0] == marks[1]
    train = Chain(chain_copy, outcome).versions("images_train")
    assert train[0].samefile(train[1])


def test_an_empty_sidecar_does_not_stop_the_next_ingest(chain_copy: Path) -> None:
    sidecar = only_file(chain_copy, "images_train").with_suffix(".json")
    whole = sidecar.read_bytes()
    sidecar.write_text("{}")
    outcome = type_kedro_run(chain_copy, "--pipelines=ingest")
    assert outcome.exit_code == 0, outcome.output
    new = Chain(chain_copy, outcome).versions("images_train")[-1].with_suffix(".json")
    assert new.read_bytes() == whole


@pytest.mark.parametrize(
    ("entry", "pipeline"),
    [("probe_metrics", "probes"), ("baseline_predictions", "baselines"), ("sample_grid", "ingest")],
)
def test_the_error_names_the_pipeline_that_writes_the_entry(chain_copy: Path, entry: str, pipeline: str) -> None:
    flip(only_file(chain_copy, entry), -20, bit=3)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=report"))
    assert f"{entry} of " in message
    assert f"; run the pipeline {pipeline} again, or restore the file" in message


def test_a_damaged_manifest_of_an_earlier_run_does_not_stop_a_run(chain_copy: Path) -> None:
    path = only_file(chain_copy, "run_manifest")
    path.write_text("{}")
    outcome = type_kedro_run(chain_copy, "--pipelines=extract")
    assert outcome.exit_code == 0, outcome.output
    assert f"inputs and command of run {path.parent.name} are unknown" in " ".join(outcome.output.split())


@pytest.fixture
def runs(tmp_path: Path) -> RunBuilder:
    """Three complete runs, each with its own encoder."""
    builder = RunBuilder(tmp_path)
    for run_id in (OLD, MIDDLE, NEW):
        builder.complete(run_id, {BYOL_LOGISTIC: right(of=300, count=200)})
        builder.encoder(run_id, recipe="of its own")
    return builder


def listed(runs: RunBuilder) -> tuple[dict[str, dict], str]:
    """The listed runs by id, and the other output."""
    outcome = type_results(runs.data_root, "--format=json")
    assert outcome.exit_code == 0, outcome.output
    start = outcome.output.index("[\n")
    return {run["run_id"]: run for run in json.loads(outcome.output[start:])}, outcome.output[:start]


@pytest.mark.parametrize("entry", ["run_manifest", "results"])
@pytest.mark.parametrize("damage", ["empty", "a list", "a bit in the middle flipped", "a folder", "a pipe"])
def test_a_damaged_run_is_listed_as_damaged(runs: RunBuilder, entry: str, damage: str) -> None:
    DAMAGE[damage](runs.path(entry, MIDDLE))
    found, output = listed(runs)
    assert {run_id: run["state"] for run_id, run in found.items()} == {
        OLD: "complete", MIDDLE: f"damaged {entry}", NEW: "complete",
    }  # fmt: skip
    assert f"{entry} of {MIDDLE}:" in " ".join(output.split())
    assert "Traceback" not in output


def test_a_run_with_a_damaged_encoder_is_listed_by_its_manifest(runs: RunBuilder) -> None:
    flip(runs.path("encoder", MIDDLE), 100, bit=1)
    found, output = listed(runs)
    assert {run_id: run["recipe"] for run_id, run in found.items()} == {
        OLD: "of its own", MIDDLE: "test", NEW: "of its own",
    }  # fmt: skip
    assert f"encoder of {MIDDLE}:" in " ".join(output.split())


@pytest.mark.parametrize("entry", ["predictions", "probe_metrics"])
def test_a_damaged_file_in_a_comparison_is_one_line(runs: RunBuilder, entry: str) -> None:
    flip(runs.path(entry, OLD), 10)
    outcome = type_results(runs.data_root, "diff", OLD, NEW)
    assert f"{entry} of {OLD}: " in error_of(outcome)


def test_nothing_is_pruned_if_a_kept_manifest_is_damaged(runs: RunBuilder) -> None:
    flip(runs.path("run_manifest", NEW), 10)
    before = artifacts(runs.data_root)
    outcome = type_results(runs.data_root, "prune", "--keep=1")
    assert "its inputs are unknown; nothing was removed" in error_of(outcome)
    assert artifacts(runs.data_root) == before


def test_the_header_of_an_encoder_is_read_without_its_weights(
    runs: RunBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a list of a hundred runs would read gigabytes."""
    monkeypatch.setattr("byol_kedro.files.sealed._stored_fingerprint", None)
    found, _ = listed(runs)
    assert found[NEW]["recipe"] == "of its own"
    assert np.isclose(found[NEW]["rows"]["encoder logistic"]["top1"], 2 / 3)
