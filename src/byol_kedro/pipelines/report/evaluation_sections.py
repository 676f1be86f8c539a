"""The sections of the report on classifiers and features: tables and numbers, without their layout."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.names import own_name
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.significance import LEVEL
from byol_kedro.pipelines.report.results import LINKS, comparable, features_key, measured, protocol_key, row_key
from byol_kedro.pipelines.report.table import (
    HEADINGS,
    RIGHT,
    Difference,
    Link,
    Table,
    cells,
    classifier,
    quality_cells,
    spaced,
)
from byol_kedro.pipelines.report.verdict import PROTOCOL

# Top-1 comes third, where a phone shows it.
PAGE_HEADINGS = (*HEADINGS[:2], "top-1", *(name for name in HEADINGS[2:] if name != "top-1"))
MAX_OPEN_CLASSES = 20  # a table with more rows is collapsed


def results(table: pd.DataFrame) -> dict[str, Any] | None:
    """Returns the results and the run of each row; None if no classifier was evaluated."""
    if measured(table).empty:
        return None
    rows = cells(comparable(table))
    origin = ("classifier", "features", "run", "command")
    return {
        "table": Table(
            PAGE_HEADINGS,
            [[_source(row) if name == "source" else row[name] for name in PAGE_HEADINGS] for row in rows],
            RIGHT,
        ),
        "runs": Table(origin, [[row[name] for name in origin] for row in rows if row["run"]]),
    }


def comparisons(table: pd.DataFrame) -> dict[str, Any] | None:
    """Returns the differences of the encoder to all other features, and every pair; None without a pair."""
    if table.empty:
        return None
    name = own_name(table["features_a"])
    others = table[(table["features_a"] == name) & (table["features_b"] != name)]
    protocols = sorted(set(others["protocol_a"]), key=protocol_key)
    differences = {
        ((row["features_b"], row["protocol_b"]), row["protocol_a"]): _difference(row)
        for row in others.to_dict("records")
    }
    rows = [
        [f"{features}, {_name(protocol)}", *(differences.get(((features, protocol), own), "") for own in protocols)]
        for features, protocol in sorted(
            {other for other, _ in differences}, key=lambda other: (features_key(other[0]), protocol_key(other[1]))
        )
    ]
    headings = ["", *(f"{name}, {_name(protocol)}" for protocol in protocols)]
    return {
        "byol": Table(headings, rows, headings[1:]),
        "pairs": _pairs(table),
        "images": int(table["n"].max()),
    }


def calibration(rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """Returns top-5, calibration, spread over seeds and selected hyperparameters of every row of the metrics."""
    if not rows:
        return None
    top5 = any("top5" in row for row in rows)
    headings = ["features", "classifier", "top-1, %", *(["top-5, %"] if top5 else []), "ECE, %", "seeds, %", "selected"]
    body = [
        [
            row["features"],
            classifier(row),
            percent(row["top1"]),
            *([percent(row["top5"])] if top5 else []),
            percent(row["ece"]),
            _spread(row["seeds"]) if "seeds" in row else "",
            {spaced(name): value for name, value in row["chosen"].items()},
        ]
        for row in sorted(rows, key=row_key)
    ]
    return Table(headings, body, headings[2:-1])


def classes(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, Any] | None:
    """Returns the top-1 of every class with `PROTOCOL`; None without its predictions."""
    chosen = predictions[predictions["protocol"] == PROTOCOL]
    if chosen.empty:
        return None
    right = chosen["truth"] == chosen["guess"]
    columns = sorted(set(chosen["features"]), key=features_key)
    shares = right.groupby([chosen["truth"], chosen["features"]]).mean().unstack()[columns]  # noqa: PD010  # of a series
    shares = shares.sort_values(columns[0], ascending=False)
    counts = chosen.loc[chosen["features"] == columns[0], "truth"].value_counts()
    rows = [
        [class_names[int(label)], int(counts[label]), *(percent(share) for share in row)]
        for label, row in zip(shares.index, shares.to_numpy(np.float64), strict=True)
    ]
    headings = ["class", "test images", *(f"{features}, %" for features in columns)]
    return {
        "table": Table(headings, rows, headings[1:]),
        "classifier": PROBES[PROTOCOL].label,
        "open": len(rows) <= MAX_OPEN_CLASSES,
    }


def folds(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Returns the top-1 over the predefined folds of the data set; None if it has none."""
    if not rows:
        return None
    headings = ["features", "classifier", "top-1, %", "lowest", "highest"]
    body = [
        [row["features"], classifier(row), _spread(row), percent(min(row["top1"])), percent(max(row["top1"]))]
        for row in rows
    ]
    return {"table": Table(headings, body, headings[2:])} | {name: rows[0][name] for name in ("n", "n_train", "n_test")}


def quality(rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """Returns the label-free quality measures of the features; None if they were not computed."""
    if not rows:
        return None
    body = quality_cells(rows)
    headings = list(body[0])
    return Table(headings, [list(row.values()) for row in body], headings[1:])


def _source(row: Mapping[str, str]) -> str | Link:
    url = LINKS.get(row["reference"])
    return Link(row["reference"].removeprefix("sthalles/"), url) if url else "measured"


def _pairs(table: pd.DataFrame) -> Table:
    headings = ["A", "B", "A − B, points", "only A correct", "only B correct", "p", "p, adjusted"]
    rows = [
        [
            f"{row['features_a']}, {_name(row['protocol_a'])}",
            f"{row['features_b']}, {_name(row['protocol_b'])}",
            _difference(row),
            row["only_a"],
            row["only_b"],
            f"{row['p']:.2g}",
            f"{row['p_holm']:.2g}",
        ]
        for row in table.to_dict("records")
    ]
    return Table(headings, rows, headings[2:])


def _difference(row: Mapping[Any, Any]) -> Difference:
    return Difference(row["points"], row["points_low"], row["points_high"], significant=row["p_holm"] < LEVEL)


def _spread(statistics: Mapping[str, Any]) -> str:
    return f"{percent(statistics['mean'])} ± {percent(statistics['std'])}"


def _name(protocol: str) -> str:
    """Returns the short name of a protocol's classifier."""
    name = PROBES[protocol].title if protocol in PROBES else protocol
    return name.replace(" regression", "")
