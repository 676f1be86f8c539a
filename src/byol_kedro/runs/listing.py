"""The list of runs: for people as a table or Markdown, for programs as JSON or CSV."""

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
from byol_kedro.evaluation.names import BYOL, PIXELS, UNTRAINED
from byol_kedro.files.cells import guarded
from byol_kedro.pipelines.report.results import measured
from byol_kedro.pipelines.report.verdict import PROTOCOL
from byol_kedro.runs.history import COMPLETE, ENCODER, UNMADE, Catalog, Run, Score, encoder_header, versioned_entries
from byol_kedro.runs.versions import path_of_version

# The rows that a run is told by: what the features begin with, and the protocol.
HEADLINES = {
    "BYOL logistic": (BYOL, PROTOCOL),
    "BYOL kNN": (BYOL, "knn"),
    "untrained logistic": (UNTRAINED, PROTOCOL),
    "PCA logistic": (PIXELS, PROTOCOL),
}
# The features whose effective rank a run without labels is told by.
RANKS = {"BYOL": BYOL, "untrained": UNTRAINED}
QUALITY = "quality_metrics"
WHY = "no results, predictions or encoder: the run died, is going on or was pruned"


def records(runs: Sequence[Run], catalog: Catalog) -> list[dict[str, Any]]:
    """One dict of JSON values for each of `runs`; their encoders are looked up in the catalog."""
    return [_record(run, catalog) for run in runs]


def as_json(table: Sequence[dict[str, Any]]) -> str:
    """A list of objects; fractions as they were measured, null where there is nothing."""
    rows = [{**row, "rows": {name: score and vars(score) for name, score in row["rows"].items()}} for row in table]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """As the JSON, with three columns for each row that a run is told by, and one for each effective rank.

    Texts are guarded as in our CSV files.
    """
    text = StringIO()
    flat = [_flat(row) for row in table]
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().rstrip("\n")


def as_markdown(table: Sequence[dict[str, Any]]) -> str:
    """A table with whole commands; top-1 in per cent with its interval."""
    lines = [["run", "recipe", "data", "epochs", *HEADLINES, "state", "command"]]
    for row in table:
        scores = [_score(score, " ({})") for score in row["rows"].values()]
        known = [row["recipe"], row["data"], "" if row["epochs"] is None else str(row["epochs"])]
        lines.append([row["run_id"], *(text or "–" for text in known), *scores, _told(row), f"`{row['command']}`"])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def as_table(table: Sequence[dict[str, Any]]) -> Table:
    """Three or four lines for each run; the commands are cut where the screen ends."""
    why = WHY if any(row["state"] in UNMADE for row in table) else None
    screen = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, caption=why, caption_justify="left")
    screen.add_column("run\nrecipe, epochs, data\nwhat kedro run was given", overflow="fold")
    for name in HEADLINES:
        screen.add_column("\n".join(name.split(" ", 1)), justify="right", no_wrap=True)
    for row in table:
        scores = row["rows"].values() if any(row["rows"].values()) else []
        screen.add_row(_about(row), *(_score(score, "\n{}") for score in scores))
    return screen


def _about(row: dict[str, Any]) -> Group:
    epochs = "" if row["epochs"] is None else f"{row['epochs']} epoch{'' if row['epochs'] == 1 else 's'}"
    trained = ", ".join(filter(None, (row["recipe"], epochs, row["data"]))) or "–"
    # Without the words that all runs of an environment share.
    given = re.sub(r"^(kedro run|python -m byol_kedro( run)?)|\s(--env|-e)[= ]\S+", "", row["command"]).strip()
    state = [] if row["state"] == COMPLETE else [_told(row)]
    command = Text(given or row["command"] or "–", no_wrap=True, overflow="ellipsis")
    return Group(Text(row["run_id"], style="bold"), *map(Text, [trained, *state]), command)


def _told(row: dict[str, Any]) -> str:
    """The state and, of predictions, the folder; without labels what is measured without them."""
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
        "rows": {name: _headline(run, *what) for name, what in HEADLINES.items()},
        "effective_rank": _ranks(run, catalog),
    }


def _ranks(run: Run, catalog: Catalog) -> dict[str, float | None]:
    """The effective rank of the test images' features, of a complete run that has no top-1."""
    version = run.reads.get(QUALITY, run.run_id)
    there = path_of_version(versioned_entries(catalog)[QUALITY], version).is_file()
    rows = catalog.load(QUALITY, version=version)["rows"] if run.complete and not run.scores and there else []
    found = {row["features"]: row["effective_rank"] for row in rows}
    return {name: found.get(features) for name, features in RANKS.items()}


def _training(run: Run, catalog: Catalog) -> dict[str, Any]:
    """What the run's encoder was trained with, and on what: by its header, or by the manifest until there is one."""
    header = encoder_header(run, catalog)
    if header:
        about: dict[str, Any] = {"recipe": header["recipe"], "data": header["data"], "epochs": int(header["epochs"])}
    else:
        asked = run.manifest.get("parameters", {})
        pretrain = asked["pretrain"] if ENCODER in run.writes else {}
        data = asked["source"] if "images_train" in run.writes else ""
        about = {"recipe": pretrain.get("recipe", ""), "data": data, "epochs": pretrain.get("epochs")}
    # The rows say, too, on what else the encoder was judged.
    rows = [] if run.results is None else measured(run.results).query("features == @BYOL")["data"].tolist()
    return about | {"data": rows[0]} if rows else about


def _headline(run: Run, features: str, protocol: str) -> Score | None:
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
