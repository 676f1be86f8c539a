"""The summary at the end of a run names its conclusion, its outputs and the next command."""

import json
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from byol_kedro.pipeline_registry import NAMES
from byol_kedro.pipelines.report.verdict import behind
from byol_kedro.runs.summary import FEW_IMAGES
from tests.support.kedro_runs import Chain, Outcome, type_kedro_run


def results(**top1: float) -> pd.DataFrame:
    """Rows `features_protocol`: top-1, all of them measured."""
    rows = [(*name.split("_"), value, "measured") for name, value in top1.items()]
    table = pd.DataFrame(rows, columns=["features", "protocol", "top1", "source"])
    return table.replace({"features": {"untrained": "untrained network"}})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (results(BYOL_logistic=0.3, untrained_logistic=0.4), True),
        (results(BYOL_logistic=0.4, untrained_logistic=0.3), False),
        (results(BYOL_logistic=0.4, untrained_logistic=0.4), False),
        (results(BYOL_logistic=0.4, BYOL_knn=0.1, untrained_logistic=0.3, untrained_knn=0.2), False),
        (results(BYOL_logistic=0.3), False),
        (results(untrained_logistic=0.3), False),
    ],
)
def test_byol_is_behind_a_better_untrained_network(table: pd.DataFrame, expected: bool) -> None:
    assert behind(table) is expected


@pytest.mark.parametrize("answer", [True, False])
def test_summary_prints_conclusion_and_advice(
    chain_copy: Path, monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    monkeypatch.setattr("byol_kedro.runs.summary.behind", lambda _: answer)
    lines = type_kedro_run(chain_copy, "--pipelines=report").lines
    page = Chain(chain_copy, Outcome(0, "")).versions("report")[-1].read_text("utf-8")
    (lead,) = re.findall('<p class="lead">(.*?)</p>', page)
    (line,) = (line for line in lines if line.startswith("BYOL "))
    assert unescape(lead).startswith(line.removesuffix(f" {FEW_IMAGES}"))
    assert line.endswith(FEW_IMAGES) is answer


def test_insignificant_deficit_is_not_called_worse(chain_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byol_kedro.pipelines.report.verdict.LEVEL", 0.0)
    output = type_kedro_run(chain_copy, "--pipelines=report").output
    assert "does not differ significantly from" in output
    assert "significantly worse" not in output


ALONE = {
    "ingest": ["data_summary"],
    "pretrain": ["encoder"],
    "extract": ["latents_train"],
    "baselines": ["baseline_metrics"],
    "probes": ["probe_metrics"],
    "pair_model": ["pair_model", "pair_embeddings", "cluster_sheet", "pair_embedding_map"],
    "report": ["report"],
    "curate": ["image_issues"],
    "explore": ["explorer"],
}


RUNNABLE = [name for name in NAMES if name not in ("__default__", "evaluate", "predict", "import_encoder")]


@pytest.mark.parametrize("name", RUNNABLE)
def test_summary_names_the_main_outputs_of_a_pipeline(chain_copy: Path, name: str) -> None:
    """predict and import_encoder, which need a file, are in test_{predict,import}_run; a whole run in test_chain."""
    run = Chain(chain_copy, type_kedro_run(chain_copy, f"--pipelines={name}"))
    assert run.outcome.exit_code == 0, run.outcome.output
    paths = [Path(line.split(": ", 1)[1]) for line in run.outcome.lines if ": /" in line]
    for entry in ALONE[name]:
        assert run.versions(entry)[-1] in paths
    run_id = run.versions("run_manifest")[-1].parent.name
    assert {path.parent.name for path in paths if path.is_file()} == {run_id}


def test_summary_of_the_pair_model_shows_its_metrics(chain_copy: Path, chain: Chain) -> None:
    weights = chain.versions("pair_model")[-1]
    run = Chain(
        chain_copy, type_kedro_run(chain_copy, "--pipelines=pair_model", params=f"pair_model.weights_from={weights}")
    )
    metrics = json.loads(run.versions("pair_metrics")[-1].read_text("utf-8"))
    shown = {line.split("│")[1].strip(): line.split("│")[2].split()[0] for line in run.outcome.lines if "│" in line}
    assert shown == {row["model"]: f"{row['l1']:.3f}" for row in metrics["rows"]}
    assert (
        f"{metrics['clusters']['k']} clusters (kmeans); with the classes of 64 test images: NMI " in run.outcome.output
    )


def test_summary_of_a_single_node_names_its_output(chain_copy: Path) -> None:
    run = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=report", "--to-outputs=training_curves"))
    assert run.outcome.lines[-1] == f"training_curves: {run.versions('training_curves')[-1]}"


def test_summary_has_the_predict_command(chain: Chain) -> None:
    assert chain.outcome.lines[-1] == (
        "To predict a folder of images: kedro run --pipelines=predict --env=test "
        f"--params=data_root={chain.data_root},predict_root=FOLDER"
    )
