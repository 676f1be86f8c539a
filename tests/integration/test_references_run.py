"""References given with `--params`, up to the rows of the results."""

from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import save_file

from tests.support.hub import NAME, hub, served, trained_weights, use_hub
from tests.support.kedro_runs import Chain, artifacts, error_of, type_kedro_run


def test_references_are_in_the_results(chain_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(trained_weights(1), tmp_path / "mine.safetensors")
    given = f"references.hub={NAME},references.mine={NAME}@{tmp_path}/mine.safetensors,baselines.supervised=true"
    with hub(served()) as (address, _):
        use_hub(monkeypatch, address, tmp_path / "cache")
        chain = Chain(chain_copy, type_kedro_run(chain_copy, "--pipeline=evaluate", params=given))
    assert chain.outcome.exit_code == 0, chain.outcome.output
    rows = pd.read_csv(chain.versions("results")[-1]).query("source == 'measured' and protocol == 'logistic'")
    columns = ["features", "architecture", "dim", "epochs", "batch_size"]
    table = rows[columns].astype(object).where(rows[columns].notna(), None).to_numpy().tolist()
    assert table[1:4] == [
        [f"hub ({NAME})", "test_resnet", 96, None, None],
        [f"mine ({NAME})", "test_resnet", 96, None, None],
        ["supervised, from scratch", "test_resnet", 96, 2, 32],
    ]
    report = chain.versions("report")[-1].read_text("utf-8")
    assert report.count(f"hub ({NAME})") > 10  # results, pairwise comparison, calibration, classes, few labels, quality


def test_a_misspelt_reference_ends_the_run_before_the_training(tmp_path: Path) -> None:
    message = error_of(type_kedro_run(tmp_path, params="references.imagenet=resnet18.tv_in2k"))
    assert "references.imagenet: timm has no weights 'resnet18.tv_in2k'; close names: resnet18.tv_in1k" in message
    assert not artifacts(tmp_path)


def test_a_reserved_reference_name_is_refused(tmp_path: Path) -> None:
    message = error_of(type_kedro_run(tmp_path, "--pipelines=ingest", params="references.untrained=resnet18"))
    assert "references: 'untrained' cannot name a reference" in message
