"""A data_root with the characters of a glob pattern."""

import json
from pathlib import Path

import pytest

from tests.support.kedro_runs import manifests, type_kedro_run
from tests.support.run_builder import type_results


@pytest.mark.parametrize("name", ["run[1]", "r*n?"])
def test_a_data_root_is_not_a_glob_pattern(tmp_path: Path, name: str) -> None:
    for place, seed in ((tmp_path / name, 1), (tmp_path / "run1", 2)):
        assert type_kedro_run(place, "--pipelines=ingest", params=f"seed={seed}").exit_code == 0
    outcome = type_kedro_run(tmp_path / name, "--pipelines=pretrain", params="seed=1,pretrain.epochs=1")
    assert outcome.exit_code == 0, outcome.output
    ingest, pretrain = manifests(tmp_path / name)
    assert pretrain["reads"]["images_train"]["version"] == ingest["run_id"]
    listed = json.loads(type_results(tmp_path / name, "--format=json").output)
    assert [run["run_id"] for run in listed] == [pretrain["run_id"], ingest["run_id"]]
