"""Outputs below the folder of images are not read as images."""

import json
from pathlib import Path

import pytest

from tests.support.image_folders import write_tree
from tests.support.kedro_runs import Chain, Outcome, type_kedro_run


@pytest.mark.parametrize("data_root", ["raw/runs", "raw", "raw/unlabeled"])
def test_ingest_does_not_read_its_own_outputs(tmp_path: Path, data_root: str) -> None:
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(12)])
    if data_root == "raw/unlabeled":
        root = tmp_path / "raw"
        (root / "unlabeled").mkdir()
        for path in root.glob("*.png"):
            path.rename(root / "unlabeled" / path.name)
    chain = Chain(tmp_path / data_root, Outcome(0, ""))
    for _ in range(3):
        given = f"source=folder,raw_root={root},ingest.image_size=8"
        outcome = type_kedro_run(tmp_path / data_root, "--pipelines=ingest", params=given)
        assert outcome.exit_code == 0, outcome.output
    summaries = [json.loads(path.read_text("utf-8"))["splits"] for path in chain.versions("data_summary")]
    assert [sum(split["count"] for split in splits.values()) for splits in summaries] == [12, 12, 12]
