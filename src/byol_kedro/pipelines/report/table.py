"""The results as people read them: cells in words, and a Markdown table of them."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import one_decimal, percent
from byol_kedro.evaluation.probes.base import PROBES

HEADINGS = (
    "classifier", "features", "architecture", "feature dim", "projection dim", "epochs", "batch size",
    "top-1", "data", "source",
)  # fmt: skip
RIGHT = frozenset({"feature dim", "projection dim", "epochs", "batch size", "top-1"})
NOTHING_MEASURED = (
    "No classifier was measured: there are no labels of two classes to learn, or none to test on. "
    "The rows are what others have published."
)


def signed(points: float, plus: str = "") -> str:
    """One decimal, with a minus that is as wide as a plus, and none before zero; `plus` is what others begin with."""
    digits = one_decimal(abs(points))
    return f"{'−' if points < 0 and float(digits) else plus}{digits}"


def whole(value: Any) -> str:
    return "–" if pd.isna(value) else str(int(value))


def words(value: Any) -> str:
    """Text of a cell; a results table that was read from a CSV has NaN where it was empty."""
    return "–" if pd.isna(value) or value == "" else str(value)


def classifier(row: Mapping[Any, Any]) -> str:
    """The classifier's name; the published table's logistic regression is told from scikit-learn's."""
    variant = PROBES[row["protocol"]].variant if row["protocol"] in PROBES else ""
    return f"{row['classifier']} ({variant})" if variant else str(row["classifier"])


def cells(results: pd.DataFrame) -> list[dict[str, str]]:
    """A dict heading → text for each row.

    Published rows that differ only in top-1 report one thing several times: they become one row, a range.
    """
    rows = [_cells(row) for row in results.to_dict("records")]
    merged = []
    for _, group in groupby(rows, key=lambda row: {**row, "top-1": row["top-1"] if row["run"] else ""}):
        first, *rest = group
        if rest:
            first["top-1"] = f"{first['top-1'].removesuffix(' %')}–{rest[-1]['top-1']}"
        merged.append(first)
    return merged


def quality_cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """A dict heading → text for each of `quality_row`'s rows."""
    return [
        {
            "features": row["features"],
            "images": f"{row['n']:,}",
            "dimension": f"{row['dim']:,}",
            "effective rank": one_decimal(row["effective_rank"]),
            "uniformity": f"{row['uniformity']:.2f}".replace("-", "−"),
            "alignment": "–" if row["alignment"] is None else f"{row['alignment']:.2f}",
        }
        for row in rows
    ]


def with_interval(row: Mapping[str, Any], name: str) -> str:
    """`0.152 (0.148 to 0.157)` of one of `score_rows`' rows; empty where the score is not defined."""
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return ""
    number = three_decimals
    return number(value) if low is None else f"{number(value)} ({number(low)} to {number(high)})"


def three_decimals(value: float) -> str:
    """Three digits, no minus before a zero."""
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def markdown(results: pd.DataFrame) -> str:
    """A Markdown table, padded so that it is readable as text too."""
    rows = [[row[heading].replace("|", "\\|") for heading in HEADINGS] for row in cells(results)]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    rule = [
        "-" * (width - 1) + ":" if heading in RIGHT else "-" * width
        for heading, width in zip(HEADINGS, widths, strict=True)
    ]
    body = [_line(row, widths) for row in rows]
    note = [] if (results["source"] == "measured").any() else [NOTHING_MEASURED, ""]
    return "\n".join([*note, _line(HEADINGS, widths), "| " + " | ".join(rule) + " |", *body]) + "\n"


def _line(row: tuple[str, ...] | list[str], widths: list[int]) -> str:
    padded = [
        text.rjust(width) if heading in RIGHT else text.ljust(width)
        for heading, text, width in zip(HEADINGS, row, widths, strict=True)
    ]
    return "| " + " | ".join(padded) + " |"


def _cells(row: Mapping[Hashable, Any]) -> dict[str, str]:
    top1 = f"{percent(row['top1'])} %"
    if not pd.isna(row["ci_low"]):
        top1 += f" ({percent(row['ci_low'])}–{percent(row['ci_high'])})"
    own = row["source"] == "measured"
    return {
        "classifier": classifier(row),
        "features": words(row["features"]),
        "architecture": words(row["architecture"]),
        "feature dim": whole(row["dim"]),
        "projection dim": whole(row["projection_dim"]),
        "epochs": whole(row["epochs"]),
        "batch size": whole(row["batch_size"]),
        "top-1": top1,
        "data": words(row["data"]),
        "source": f"run {row['run_id']}" if own else words(row["reference"]),
        "run": str(row["run_id"]) if own else "",
        "command": words(row["command"]) if own else "",
        "reference": words(row["reference"]),
    }
