"""`kedro results` lists runs and their scores."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.kedro_runs import ROOT
from tests.support.run_builder import (
    BYOL_KNN,
    BYOL_LOGISTIC,
    PUBLISHED,
    UNTRAINED_LOGISTIC,
    RunBuilder,
    right,
    type_results,
)

OLD, MIDDLE, NEW = (f"2026-03-0{day}T10.00.00.000Z" for day in (1, 2, 3))
PUBLISHED_ALGORITHM = ("BYOL", "logistic regression", "linear_adam")


@pytest.fixture
def runs(tmp_path: Path) -> RunBuilder:
    """OLD has trained an encoder for 7 epochs, MIDDLE has failed, NEW has evaluated the encoder of OLD."""
    builder = RunBuilder(tmp_path)
    builder.complete(OLD, {BYOL_LOGISTIC: right(of=300, count=200)})
    builder.encoder(OLD, recipe="seven", epochs="7")
    builder.died(MIDDLE)
    rows = {
        PUBLISHED_ALGORITHM: right(of=300, count=260),
        BYOL_LOGISTIC: right(of=300, count=211),
        BYOL_KNN: right(of=300, count=150),
        UNTRAINED_LOGISTIC: right(of=300, count=90),
    }
    command = "kedro run --env=test --pipelines=evaluate --params=data_root=" + 60 * "x"
    builder.complete(
        NEW, rows, reads={"encoder": OLD}, encoder=OLD, pipelines=["evaluate"], command=command
    )  # fmt: skip
    return builder


def as_json(runs: RunBuilder, *words: str) -> list[dict]:
    outcome = type_results(runs.data_root, "--format=json", *words)
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.output)


def test_runs_are_listed_newest_first(runs: RunBuilder) -> None:
    assert [run["run_id"] for run in as_json(runs)] == [NEW, MIDDLE, OLD]


def test_limit_keeps_the_newest_runs(runs: RunBuilder) -> None:
    assert [run["run_id"] for run in as_json(runs, "--limit=1")] == [NEW]


def test_run_without_results_is_not_complete(runs: RunBuilder) -> None:
    assert [run["state"] for run in as_json(runs)] == ["complete", "no results", "complete"]


def test_recipe_and_epochs_are_those_of_the_encoder(runs: RunBuilder) -> None:
    newest = as_json(runs, "--limit=1")[0]
    assert (newest["recipe"], newest["epochs"]) == ("seven", 7)


def test_a_training_in_steps_is_listed(tmp_path: Path) -> None:
    builder = RunBuilder(tmp_path)
    builder.complete(OLD, {BYOL_LOGISTIC: right(of=300, count=200)})
    builder.encoder(OLD, recipe="long", epochs="12.371134020618557", steps="4800")
    builder.died(NEW, parameters={"source": "photos", "pretrain": {"recipe": "test", "epochs": None, "steps": 4000}})
    newest, oldest = as_json(builder)
    assert (newest["epochs"], newest["steps"]) == (None, 4000)
    assert (oldest["epochs"], oldest["steps"]) == (12.371134020618557, 4800)
    text = type_results(tmp_path).output
    assert "test, 4,000 steps" in text
    assert "long, 12.4 epochs, photos" in text
    assert "| 12.4 |" in type_results(tmp_path, "--format=markdown").output


def test_running_training_is_listed_with_its_parameters(runs: RunBuilder) -> None:
    died = as_json(runs)[1]
    assert (died["recipe"], died["epochs"], died["data"], died["encoder"]) == ("test", 2, "photos", "")


@pytest.mark.parametrize(
    ("pipelines", "made", "state"),
    [
        (["__default__"], ["encoder", "images_train"], "no results"),
        (["baselines", "probes", "report"], [], "no results"),
        (["evaluate", "predict"], ["predicted_images"], "no results"),
        (["predict"], ["predicted_images"], "predictions"),
        (["predict"], [], "no predictions"),
        (["ingest", "pretrain"], ["encoder"], "only ingest,pretrain"),
        (["ingest", "pretrain"], [], "no encoder"),
        (["extract"], [], "only extract"),
    ],
)
def test_run_without_results_shows_its_state(tmp_path: Path, pipelines: list[str], made: list[str], state: str) -> None:
    builder = RunBuilder(tmp_path)
    builder.died(NEW, pipelines=pipelines)
    for entry in made:
        builder.encoder(NEW) if entry == "encoder" else builder.write(entry, NEW, b"something")
    assert as_json(builder)[0]["state"] == state


def test_results_without_labels_have_no_top1(tmp_path: Path) -> None:
    builder = RunBuilder(tmp_path)
    builder.died(NEW)
    builder.write("results", NEW, pd.DataFrame([PUBLISHED]).to_csv(index=False).encode())
    assert as_json(builder)[0]["state"] == "no top-1"


@pytest.fixture
def unlabeled(tmp_path: Path) -> RunBuilder:
    """NEW has results without top-1, and OLD the effective ranks."""
    builder = RunBuilder(tmp_path)
    rows = [{"features": "BYOL", "effective_rank": 211.43}, {"features": "untrained network", "effective_rank": 13.2}]
    builder.write("quality_metrics", OLD, json.dumps({"rows": rows}).encode())
    builder.died(NEW, reads={"quality_metrics": OLD})
    builder.write("results", NEW, pd.DataFrame([PUBLISHED]).to_csv(index=False).encode())
    return builder


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_run_without_labels_shows_effective_ranks(unlabeled: RunBuilder, form: str) -> None:
    output = " ".join(type_results(unlabeled.data_root, f"--format={form}").output.split())
    assert "no top-1; effective rank: encoder 211.4, untrained 13.2" in output


def test_run_without_scores_has_no_dashes(unlabeled: RunBuilder) -> None:
    assert "–" not in type_results(unlabeled.data_root).output


def test_effective_ranks_are_unrounded_in_json(unlabeled: RunBuilder) -> None:
    assert as_json(unlabeled)[0]["effective_rank"] == {"encoder": 211.43, "untrained": 13.2}
    table = pd.read_csv(StringIO(type_results(unlabeled.data_root, "--format=csv").output))
    assert table[["byol_effective_rank", "untrained_effective_rank"]].iloc[0].tolist() == [211.43, 13.2]


@pytest.fixture
def predictions(tmp_path: Path) -> RunBuilder:
    """NEW has predicted the images in /new with the encoder of OLD, which was trained on a folder."""
    builder = RunBuilder(tmp_path)
    builder.encoder(OLD, recipe="mine", data="folder")
    asked = {"source": "photos", "predict_root": "/new", "pretrain": {"recipe": "test", "epochs": 2}}
    builder.died(NEW, pipelines=["predict"], reads={"encoder": OLD}, parameters=asked)
    builder.write("predicted_images", NEW, b"something")
    return builder


def test_predictions_show_folder_and_training_data(predictions: RunBuilder) -> None:
    (run,) = as_json(predictions)
    assert [run[name] for name in ("predict_root", "recipe", "data", "encoder")] == ["/new", "mine", "folder", OLD]


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_predictions_are_distinguished_from_failed_runs(predictions: RunBuilder, form: str) -> None:
    output = type_results(predictions.data_root, f"--format={form}").output
    assert "predictions of /new" in output
    assert "folder" in output
    assert "photos" not in output
    assert "died" not in output


def test_scores_are_unrounded_in_json(runs: RunBuilder) -> None:
    table = pd.read_csv(runs.path("results", NEW))
    row = table[(table["features"] == "BYOL") & (table["protocol"] == "logistic")].iloc[0]
    expected = {"top1": row["top1"], "ci_low": row["ci_low"], "ci_high": row["ci_high"]}
    assert as_json(runs)[0]["rows"]["encoder logistic"] == expected


def test_published_rows_are_not_listed(runs: RunBuilder) -> None:
    assert as_json(runs)[0]["rows"]["PCA logistic"] is None


def test_csv_has_unrounded_values(runs: RunBuilder) -> None:
    table = pd.read_csv(StringIO(type_results(runs.data_root, "--format=csv").output))
    assert list(table["run_id"]) == [NEW, MIDDLE, OLD]
    assert table["encoder_knn_top1"][0] == 0.5
    assert table["command"][0].endswith(60 * "x")


def test_markdown_has_the_complete_command(runs: RunBuilder) -> None:
    head, rule, *rows = type_results(runs.data_root, "--format=markdown").lines
    assert len(rows) == 3
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    assert 60 * "x" in rows[0]


def test_table_fits_a_hundred_columns(runs: RunBuilder) -> None:
    outcome = type_results(runs.data_root)
    assert max(map(len, outcome.lines)) <= 100
    (line,) = (line for line in outcome.lines if NEW in line)
    assert "70.3 %" in line


def test_only_commands_are_truncated_in_eighty_columns(runs: RunBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byol_kedro.cli.results_commands.WIDTH", 80)
    lines = type_results(runs.data_root).lines
    place = next(i for i, line in enumerate(lines) if NEW in line)
    assert "70.3 %" in lines[place]
    assert lines[place + 1].split("  ")[0].strip() == "seven, 7 epochs, photos"
    assert lines[place + 2].rstrip().endswith("…")


def test_table_marks_runs_without_results(runs: RunBuilder) -> None:
    lines = type_results(runs.data_root).lines
    place = next(i for i, line in enumerate(lines) if MIDDLE in line)
    assert "no results" in lines[place + 2]


def test_stdout_contains_only_json(runs: RunBuilder, tmp_path: Path) -> None:
    talkative = yaml.safe_load((ROOT / "conf/logging.yml").read_text("utf-8"))
    talkative["loggers"]["kedro.io"] = {"level": "INFO"}
    logging = tmp_path / "logging.yml"
    logging.write_text(yaml.safe_dump(talkative))
    kedro = Path(sys.executable).with_name("kedro")
    done = subprocess.run(
        [kedro, "results", "--env=test", f"--params=data_root={runs.data_root}", "--format=json"],
        cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"KEDRO_LOGGING_CONFIG": str(logging)},
    )  # fmt: skip
    assert "Loading data" in done.stderr
    assert len(json.loads(done.stdout)) == 3


def test_results_does_not_import_torch(runs: RunBuilder) -> None:
    commands = [["--help"], [], ["diff", "latest", "previous", "--env=test"]]
    code = (
        "import sys\nfrom kedro.framework.cli.cli import main\n"
        f"for words in {commands!r}:\n"
        f"    sys.argv = ['kedro', 'results', *words, '--params=data_root={runs.data_root}']\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code, words\n"
        "    assert 'torch' not in sys.modules, words\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert NEW in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["diff", "2027", "latest"], "2027: there is no such run; newest runs: " + NEW),
        (["diff", "latest", "2026-03"], f"2026-03: 3 runs match: {NEW}, {MIDDLE}, {OLD}; give more of the run_id"),
        (["--params=data_rot=x"], "parameters: data_rot: there is no such parameter; did you mean data_root?"),
        (["diff", "latest", "previous", "--env=tst"], "--env tst: there is no environment conf/tst; expected one of"),
    ],
)
def test_a_mistake_is_one_line(runs: RunBuilder, words: list[str], expected: str) -> None:
    outcome = type_results(runs.data_root, *words)
    assert outcome.exit_code == 1
    assert len(outcome.lines) == 1
    assert expected in outcome.lines[0]


@pytest.mark.parametrize("words", [[], ["diff", "latest", "previous"], ["prune", "--keep=1"]])
def test_no_runs_yet_is_a_user_error(tmp_path: Path, words: list[str]) -> None:
    outcome = type_results(tmp_path, *words)
    assert outcome.exit_code == 1
    (line,) = outcome.lines
    assert line.startswith(f"Error: no runs yet: nothing in {tmp_path}")


def test_previous_needs_two_complete_runs(tmp_path: Path) -> None:
    builder = RunBuilder(tmp_path)
    builder.complete(OLD, {BYOL_LOGISTIC: right(of=30, count=20)})
    builder.died(NEW)
    outcome = type_results(tmp_path, "diff", "latest", "previous")
    (line,) = outcome.lines
    assert line.startswith(f"Error: previous: {OLD} is the only complete run; make another or give")


def test_latest_needs_a_complete_run(tmp_path: Path) -> None:
    RunBuilder(tmp_path).died(NEW)
    (line,) = type_results(tmp_path, "diff", "latest", NEW).lines
    assert line.startswith("Error: latest: no run is complete; make one or give a run_id")


def test_options_may_precede_the_subcommand(runs: RunBuilder) -> None:
    before = ["--env=test", f"--params=data_root={runs.data_root}"]
    outcome = type_results(runs.data_root, *before, "prune", "--keep=5", place=False)
    assert "nothing to remove" in outcome.output


def test_list_is_a_subcommand(runs: RunBuilder) -> None:
    assert type_results(runs.data_root, "list", "--limit=1").output == type_results(runs.data_root, "--limit=1").output
    newest = json.loads(type_results(runs.data_root, "list", "--format=json").output)
    assert [run["run_id"] for run in newest] == [NEW, MIDDLE, OLD]
