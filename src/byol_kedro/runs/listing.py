"""Format the list of runs as a table, Markdown, JSON or CSV."""

import csv
import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.names import OWN, PIXELS, UNTRAINED
from byol_kedro.files.cells import guarded
from byol_kedro.log import counted, rounded
from byol_kedro.pipelines.report.results import measured
from byol_kedro.pipelines.report.verdict import PROTOCOL
from byol_kedro.runs.history import COMPLETE, UNMADE, Catalog, Run, Score, encoder_header, versioned_entries
from byol_kedro.runs.versions import path_of_version

# The rows in the list: prefixes of the features, and protocol.
HEADLINES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "encoder logistic": (OWN, PROTOCOL),
    "encoder kNN": (OWN, "knn"),
    "untrained logistic": (UNTRAINED, PROTOCOL),
    "PCA logistic": (PIXELS, PROTOCOL),
}
# The features whose effective rank is listed for a run without labels.
RANKS = {"encoder": OWN, "untrained": (UNTRAINED,)}
QUALITY = "quality_metrics"
NOTE = "no results, predictions or encoder: the run failed, is still running or was pruned"


def records(runs: Sequence[Run], catalog: Catalog) -> list[dict[str, Any]]:
    """Return a dict of JSON values for each run; the catalog contains their encoders."""
    return [_record(run, catalog) for run in runs]


def as_json(table: Sequence[dict[str, Any]]) -> str:
    """Format as a list of JSON objects, with unrounded fractions; missing values are null."""
    rows = [{**row, "rows": {name: score and vars(score) for name, score in row["rows"].items()}} for row in table]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """Format as CSV, with three columns for each row in the list and one for each effective rank.

    Strings are protected against formula injection, as in all CSV files of this project.
    """
    text = StringIO()
    flat = [_flat(row) for row in table]
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().rstrip("\n")


def as_markdown(table: Sequence[dict[str, Any]]) -> str:
    """Format as Markdown, with complete commands and top-1 in per cent with its interval."""
    lines = [["run", "recipe", "data", "epochs", *HEADLINES, "state", "command"]]
    for row in table:
        scores = [_score(score, " ({})") for score in row["rows"].values()]
        known = [row["recipe"], row["data"], "" if row["epochs"] is None else rounded(row["epochs"])]
        lines.append([row["run_id"], *(text or "–" for text in known), *scores, _state(row), f"`{row['command']}`"])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def as_table(table: Sequence[dict[str, Any]]) -> Table:
    """Return a table with three or four lines for each run; commands are truncated."""
    note = NOTE if any(row["state"] in UNMADE for row in table) else None
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, caption=note, caption_justify="left")
    grid.add_column("run\nrecipe, epochs, data\narguments of kedro run", overflow="fold")
    for name in HEADLINES:
        grid.add_column("\n".join(name.split(" ", 1)), justify="right", no_wrap=True)
    for row in table:
        scores = row["rows"].values() if any(row["rows"].values()) else []
        grid.add_row(_about(row), *(_score(score, "\n{}") for score in scores))
    return grid


def _about(row: dict[str, Any]) -> Group:
    # Of a training that failed, the manifest has the length in one unit.
    lengths = (counted(row[unit], unit.removesuffix("s")) for unit in ("epochs", "steps") if row[unit] is not None)
    trained = ", ".join(filter(None, (row["recipe"], next(lengths, ""), row["data"]))) or "–"
    # Without the program and the environment, which all runs share.
    arguments = re.sub(r"^(kedro run|python -m byol_kedro( run)?)|\s(--env|-e)[= ]\S+", "", row["command"]).strip()
    state = [] if row["state"] == COMPLETE else [_state(row)]
    command = Text(arguments or row["command"] or "–", no_wrap=True, overflow="ellipsis")
    return Group(Text(row["run_id"], style="bold"), *map(Text, [trained, *state]), command)


def _state(row: dict[str, Any]) -> str:
    """Return the state, with the effective ranks or the folder of predictions, if any."""
    ranks = [f"{name} {rank:.1f}" for name, rank in row["effective_rank"].items() if rank is not None]
    if ranks:
        return f"{row['state']}; effective rank: {', '.join(ranks)}"
    return f"{row['state']} of {row['predict_root']}" if row["predict_root"] else str(row["state"])


def _record(run: Run, catalog: Catalog) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "predict_root": run.predict_root,
        **_training(run, catalog),
        "encoder": run.encoder,
        "command": run.command,
        "rows": {name: _headline(run, *row) for name, row in HEADLINES.items()},
        "effective_rank": _ranks(run, catalog),
    }


def _ranks(run: Run, catalog: Catalog) -> dict[str, float | None]:
    """Return the effective rank of the test images' features, for a complete run without top-1."""
    version = run.reads.get(QUALITY, run.run_id)
    exists = path_of_version(versioned_entries(catalog)[QUALITY], version).is_file()
    rows = catalog.load(QUALITY, version=version)["rows"] if run.complete and not run.scores and exists else []
    found = {row["features"]: row["effective_rank"] for row in rows}
    return {name: next((found[one] for one in features if one in found), None) for name, features in RANKS.items()}


def _training(run: Run, catalog: Catalog) -> dict[str, Any]:
    """Return recipe, data and length of the run's encoder, from its header or, without one, from the manifest."""
    header = encoder_header(run, catalog)
    if header:
        training: dict[str, Any] = {"recipe": header["recipe"], "data": header["data"]}
        training |= {unit: json.loads(header.get(unit, "null")) for unit in ("epochs", "steps")}
    else:
        parameters = run.manifest.get("parameters", {})
        pretrain = parameters["pretrain"] if run.trains else {}
        data = parameters["source"] if "images_train" in run.writes else ""
        training = {"recipe": pretrain.get("recipe", ""), "data": data}
        training |= {unit: pretrain.get(unit) for unit in ("epochs", "steps")}
    # The results also name the data that the encoder was evaluated on.
    rows = [] if run.results is None else measured(run.results).query("features in @OWN")["data"].tolist()
    return training | {"data": rows[0]} if rows else training


def _headline(run: Run, features: str | tuple[str, ...], protocol: str) -> Score | None:
    found = (score for key, score in run.scores.items() if key[0].startswith(features) and key[2] == protocol)
    return next(found, None)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    scores = {
        f"{name.replace(' ', '_').lower()}_{field}": None if score is None else getattr(score, field)
        for name, score in row["rows"].items()
        for field in ("top1", "ci_low", "ci_high")
    }
    ranks = {f"{name.lower()}_effective_rank": rank for name, rank in row["effective_rank"].items()}
    nested = {"rows", "effective_rank"}
    known = {
        name: guarded(value) if isinstance(value, str) else value for name, value in row.items() if name not in nested
    }
    return known | scores | ranks


def _score(score: Score | None, interval: str) -> str:
    if score is None:
        return "–"
    return f"{percent(score.top1)} %" + interval.format(f"{percent(score.ci_low)}–{percent(score.ci_high)}")
