"""Tables as text: the cells of the results, and the Markdown table of them."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import one_decimal, percent
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.log import rounded

HEADINGS = (
    "classifier", "features", "architecture", "feature dim", "projection dim", "epochs", "batch size",
    "top-1", "data", "source",
)  # fmt: skip
RIGHT = frozenset({"feature dim", "projection dim", "epochs", "batch size", "top-1"})
NOTHING_MEASURED = (
    "No classifier was evaluated: the training images have labels of fewer than two classes, or no test image has a "
    "label. All rows are published results."
)


@dataclass(frozen=True)
class Table:
    """A table of the report. The columns in `right` are aligned to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    right: Collection[str] = ()


@dataclass(frozen=True)
class Link:
    """A cell with a link."""

    label: str
    url: str


@dataclass(frozen=True)
class Difference:
    """A cell with a difference of two top-1, in percentage points, and its 95 % interval."""

    points: float
    low: float
    high: float
    significant: bool


def signed(points: float, plus: str = "") -> str:
    """Formats with one decimal and a true minus sign; zero has no minus. `plus` precedes other values."""
    digits = one_decimal(abs(points))
    return f"{'−' if points < 0 and float(digits) else plus}{digits}"


def spaced(name: str) -> str:
    """Returns the name of a field with spaces instead of underscores."""
    return name.replace("_", " ")


def number_or_dash(value: Any) -> str:
    """Formats a number (see `log.rounded`); a missing value is a dash."""
    return "–" if pd.isna(value) else rounded(value)


def text_or_dash(value: Any) -> str:
    """Returns the text of a cell; an empty cell, which is NaN in a table read from a CSV, is a dash."""
    return "–" if pd.isna(value) or value == "" else str(value)


def classifier(row: Mapping[Any, Any]) -> str:
    """Returns the name of a row's classifier, with the optimizer or weighting where the name alone is ambiguous."""
    variant = PROBES[row["protocol"]].variant if row["protocol"] in PROBES else ""
    return f"{row['classifier']} ({variant})" if variant else str(row["classifier"])


def cells(results: pd.DataFrame) -> list[dict[str, str]]:
    """Returns the text of every cell by heading, one dict per row.

    Published rows that differ only in top-1 report the same experiment: they are merged into one row with a range.
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
    """Returns the text of every cell by heading for the rows of `quality_metrics`."""
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
    """Formats a score of a row of `pair_metrics` as `0.152 (0.148 to 0.157)`; empty if it is undefined."""
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return ""
    number = three_decimals
    return number(value) if low is None else f"{number(value)} ({number(low)} to {number(high)})"


def three_decimals(value: float) -> str:
    """Formats with three decimals and a true minus sign; zero has none."""
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def markdown(results: pd.DataFrame) -> str:
    """Returns the results as a Markdown table with aligned columns."""
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
        "features": text_or_dash(row["features"]),
        "architecture": text_or_dash(row["architecture"]),
        "feature dim": number_or_dash(row["dim"]),
        "projection dim": number_or_dash(row["projection_dim"]),
        "epochs": number_or_dash(row["epochs"]),
        "batch size": number_or_dash(row["batch_size"]),
        "top-1": top1,
        "data": text_or_dash(row["data"]),
        "source": f"run {row['run_id']}" if own else text_or_dash(row["reference"]),
        "run": str(row["run_id"]) if own else "",
        "command": text_or_dash(row["command"]) if own else "",
        "reference": text_or_dash(row["reference"]),
    }
