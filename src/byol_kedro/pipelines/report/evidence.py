"""The sections of the report on how far its numbers can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.evaluation.metrics import percent
from byol_kedro.evaluation.names import BYOL
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.significance import LEVEL
from byol_kedro.log import counted
from byol_kedro.pipelines.report import markup
from byol_kedro.pipelines.report.results import order, place, rank
from byol_kedro.pipelines.report.table import classifier, quality_cells, signed
from byol_kedro.pipelines.report.verdict import PROTOCOL

FEW_CLASSES = 20  # more rows than this are there to be opened


def comparisons(table: pd.DataFrame) -> str:
    """BYOL's rows against all others, then every pair to be opened."""
    if table.empty:
        return ""
    others = table[(table["features_a"] == BYOL) & (table["features_b"] != BYOL)]
    protocols = sorted(set(others["protocol_a"]), key=order)
    cells = {
        ((row["features_b"], row["protocol_b"]), row["protocol_a"]): _cell(row) for row in others.to_dict("records")
    }
    rows = [
        [f"{features}, {_name(protocol)}", *(cells.get(((features, protocol), mine), "") for mine in protocols)]
        for features, protocol in sorted({key for key, _ in cells}, key=lambda key: (place(key[0]), order(key[1])))
    ]
    headings = ["", *(f"BYOL, {_name(name)}" for name in protocols)]
    return markup.section(
        "Who beats whom",
        markup.table(headings, rows, headings[1:]) if rows else "",
        markup.paragraph(
            f"Percentage points by which the column's top-1 is above the row's, on the same "
            f"{counted(table['n'].max(), 'test image')}, with the 95 % interval of a paired bootstrap. Bold: a "
            "difference beyond luck, by McNemar's test with Holm's adjustment over all pairs of the run "
            f"({len(table):,}), at 5 %. An interval is of its pair alone, without the adjustment: it may lie on one "
            "side of 0 where nothing is bold. The sentences at the top make a few of these comparisons, fixed "
            "beforehand, and are adjusted over those alone: what they claim need not be bold here.",
            "note",
        ),
        markup.details("Every pair", _pairs(table)),
    )


def beyond_top1(rows: Sequence[Mapping[str, Any]]) -> str:
    """Calibration, top-5, spread over seeds, and what was chosen, for each row of the metrics."""
    if not rows:
        return ""
    top5 = any("top5" in row for row in rows)
    headings = ["features", "classifier", "top-1, %", *(["top-5, %"] if top5 else []), "ECE, %", "over seeds", "chosen"]
    cells = [
        [
            row["features"],
            classifier(row),
            percent(row["top1"]),
            *([percent(row["top5"])] if top5 else []),
            percent(row["ece"]),
            _spread(row["seeds"]) if "seeds" in row else "",
            {markup.spaced(name): value for name, value in row["chosen"].items()},
        ]
        for row in sorted(rows, key=rank)
    ]
    return markup.section(
        "Beyond top-1",
        markup.table(headings, cells, headings[2:-1]),
        markup.paragraph(
            "ECE: expected calibration error, the mean distance of confidence and accuracy over 15 bins. Over seeds: "
            "mean ± standard deviation of top-1. Chosen: decided on training images, never on test images.",
            "note",
        ),
    )


def classes(predictions: pd.DataFrame, class_names: Sequence[str]) -> str:
    """Share of each class that is named right, by the one classifier that was fixed before any test."""
    chosen = predictions[predictions["protocol"] == PROTOCOL]
    if chosen.empty:
        return ""
    right = chosen["truth"] == chosen["guess"]
    columns = sorted(set(chosen["features"]), key=place)
    shares = right.groupby([chosen["truth"], chosen["features"]]).mean().unstack()[columns]  # noqa: PD010  # of a series
    shares = shares.sort_values(columns[0], ascending=False)
    counts = chosen.loc[chosen["features"] == columns[0], "truth"].value_counts()
    rows = [
        [class_names[int(label)], int(counts[label]), *(percent(share) for share in row)]
        for label, row in zip(shares.index, shares.to_numpy(np.float64), strict=True)
    ]
    headings = ["class", "test images", *(f"{features}, %" for features in columns)]
    table = markup.table(headings, rows, headings[1:])
    what = f"Right in each class, {PROBES[PROTOCOL].label}"
    return markup.section(what, table if len(rows) <= FEW_CLASSES else markup.details(f"{len(rows)} classes", table))


def less(folds: Sequence[Mapping[str, Any]], curve: go.Figure) -> str:
    """Top-1 on the folds that the data set comes with, where it does, and with few labels."""
    parts = [_folds(folds)] if folds else []
    if curve.data:
        parts.append(markup.figure(curve, "few-label-curve"))
    return markup.section("With fewer labels", *parts) if parts else ""


def quality(rows: Sequence[Mapping[str, Any]]) -> str:
    """What can be said of the features where there are no labels."""
    if not rows:
        return ""
    cells = quality_cells(rows)
    headings = list(cells[0])
    return markup.section(
        "Quality without labels",
        markup.table(headings, [list(row.values()) for row in cells], headings[1:]),
        markup.paragraph(
            "Of the test images' features. Effective rank (RankMe): 1 where all lie on one line, the dimension "
            "where they fill all of it evenly. Uniformity: 0 where all are one point of the sphere, −4 where they "
            "spread evenly over it. Alignment: 0 where two views of an image fall on one point, 2 where they are at "
            "right angles. Collapse is 1, 0 and 0; none of them says which features are better for a task.",
            "note",
        ),
    )


def _folds(rows: Sequence[Mapping[str, Any]]) -> str:
    headings = ["features", "classifier", "top-1, %", "lowest", "highest"]
    cells = [
        [row["features"], classifier(row), _spread(row), percent(min(row["top1"])), percent(max(row["top1"]))]
        for row in rows
    ]
    first = rows[0]
    words = (
        f"Trained on each of the data set's {counted(first['n'], 'fold')} of {counted(first['n_train'], 'image')} "
        f"alone, tested on all {counted(first['n_test'], 'test image')}: mean ± standard deviation over the folds."
    )
    return markup.paragraph(words) + markup.table(headings, cells, headings[2:])


def _pairs(table: pd.DataFrame) -> str:
    headings = ["first", "second", "points", "first alone right", "second alone right", "p", "p, adjusted"]
    rows = [
        [
            f"{row['features_a']}, {_name(row['protocol_a'])}",
            f"{row['features_b']}, {_name(row['protocol_b'])}",
            _cell(row),
            row["only_a"],
            row["only_b"],
            f"{row['p']:.2g}",
            f"{row['p_holm']:.2g}",
        ]
        for row in table.to_dict("records")
    ]
    return markup.table(headings, rows, headings[2:])


def _cell(row: Mapping[Any, Any]) -> markup.Markup:
    """The difference, bold where it is beyond luck, over its interval."""
    points = signed(row["points"], "+")
    low, high = signed(row["points_low"]), signed(row["points_high"])
    shown = f"<b>{points}</b>" if row["p_holm"] < LEVEL else points
    return markup.Markup(f"{shown}<br><small>{low} to {high}</small>")


def _spread(statistics: Mapping[str, Any]) -> str:
    return f"{percent(statistics['mean'])} ± {percent(statistics['std'])}"


def _name(protocol: str) -> str:
    """A classifier's name by its protocol, short."""
    name = PROBES[protocol].title if protocol in PROBES else protocol
    return name.replace(" regression", "")
