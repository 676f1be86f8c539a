"""The list of runs: for people as a table or Markdown, for programs as JSON or CSV."""

import csv
import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

from rich import box
from rich.table import Table

from byol_kedro.evaluation.names import BYOL, PIXELS, UNTRAINED
from byol_kedro.pipelines.report.table import percent
from byol_kedro.pipelines.report.words import PROTOCOL
from byol_kedro.results.runs import Run, Score, training

# The rows that a run is told by: what the features begin with, and the protocol.
HEADLINES = {
    "BYOL logistic": (BYOL, PROTOCOL),
    "BYOL kNN": (BYOL, "knn"),
    "untrained logistic": (UNTRAINED, PROTOCOL),
    "PCA logistic": (PIXELS, PROTOCOL),
}
NO_RESULTS = "no results"
WHY = "no results: the run died, is going on, made none, or was pruned"
COMMAND_WIDTH = 24  # as wide as a run_id


def records(runs: Sequence[Run], everything: Sequence[Run]) -> list[dict[str, Any]]:
    """One dict of JSON values for each of `runs`; `everything` is where the run that trained is looked up."""
    return [_record(run, everything) for run in runs]


def as_json(table: Sequence[dict[str, Any]]) -> str:
    """A list of objects; fractions as they were measured, null where there is nothing."""
    rows = [{**row, "rows": {name: score and vars(score) for name, score in row["rows"].items()}} for row in table]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)


def as_csv(table: Sequence[dict[str, Any]]) -> str:
    """As the JSON, with three columns for each row that a run is told by."""
    text = StringIO()
    flat = [_flat(row) for row in table]
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue().rstrip("\n")


def as_markdown(table: Sequence[dict[str, Any]]) -> str:
    """A table with whole commands; top-1 in per cent with its interval."""
    lines = [["run", "recipe", "data", "epochs", *HEADLINES, "complete", "command"]]
    for row in table:
        scores = [_score(score, " ({})") for score in row["rows"].values()]
        known = [row["recipe"], row["data"], "" if row["epochs"] is None else str(row["epochs"])]
        state = "yes" if row["complete"] else "no"
        lines.append([row["run_id"], *(text or "–" for text in known), *scores, state, f"`{row['command']}`"])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def as_table(table: Sequence[dict[str, Any]]) -> Table:
    """Two lines for each run, 100 characters wide."""
    why = None if all(row["complete"] for row in table) else WHY
    screen = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, caption=why, caption_justify="left")
    screen.add_column("run\nwhat kedro run was given", no_wrap=True)
    screen.add_column("recipe, epochs\ndata", overflow="fold")
    for name in HEADLINES:
        screen.add_column("\n".join(name.split(" ", 1)), justify="right", no_wrap=True)
    for row in table:
        epochs = "" if row["epochs"] is None else f", {row['epochs']} epochs"
        about = [row["recipe"] + epochs if row["recipe"] else "–", row["data"] or "–"]
        if not row["complete"]:
            about.append(NO_RESULTS)
        scores = [_score(score, "\n{}") for score in row["rows"].values()]
        screen.add_row(f"{row['run_id']}\n{_short(row['command'])}", "\n".join(about), *scores)
    return screen


def _record(run: Run, everything: Sequence[Run]) -> dict[str, Any]:
    trained = training(run, everything)
    return {
        "run_id": run.run_id,
        "complete": run.complete,
        "recipe": trained.recipe,
        "data": trained.data,
        "epochs": trained.epochs,
        "encoder": run.encoder,
        "command": run.command,
        "rows": {name: _headline(run, *what) for name, what in HEADLINES.items()},
    }


def _headline(run: Run, features: str, protocol: str) -> Score | None:
    found = (score for key, score in run.scores.items() if key[0].startswith(features) and key[2] == protocol)
    return next(found, None)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    scores = {
        f"{name.replace(' ', '_').lower()}_{field}": None if score is None else getattr(score, field)
        for name, score in row["rows"].items()
        for field in ("top1", "ci_low", "ci_high")
    }
    return {name: value for name, value in row.items() if name != "rows"} | scores


def _score(score: Score | None, interval: str) -> str:
    if score is None:
        return "–"
    return f"{percent(score.top1)} %" + interval.format(f"{percent(score.ci_low)}–{percent(score.ci_high)}")


def _short(command: str) -> str:
    """A command without the words that all runs of an environment share, cut to the width of its column."""
    given = re.sub(r"^(kedro run|python -m byol_kedro)|\s(--env|-e)[= ]\S+", "", command).strip() or command or "–"
    return given if len(given) <= COMMAND_WIDTH else given[: COMMAND_WIDTH - 1] + "…"
