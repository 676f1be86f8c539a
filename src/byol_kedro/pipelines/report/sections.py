"""The sections of the report, each from what it shows to HTML."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from byol_kedro.pipelines.report import markup
from byol_kedro.pipelines.report.markup import paragraph
from byol_kedro.pipelines.report.results import LINKS, comparable
from byol_kedro.pipelines.report.table import HEADINGS, RIGHT, cells

# What a reader asks of a training first; the rest of the encoder's header is there to be opened.
FIRST = ("recipe", "data", "architecture", "stem", "image_size", "epochs", "batch_size", "projection_dim", "seed")

FINGERPRINT = 12  # digits, as in messages
IN_WORDS = {"folder": "a folder of images", "array": "an array of images"}


def results(table: pd.DataFrame, bars: go.Figure) -> str:
    rows = cells(comparable(table))
    shown = [[_source(row) if name == "source" else row[name] for name in HEADINGS] for row in rows]
    return markup.section(
        "Results",
        markup.figure(bars, "top1-bars"),
        markup.table(HEADINGS, shown, RIGHT),
        markup.paragraph(
            "Top-1 on the test images with its 95 % Wilson interval; published numbers come without one.", "note"
        ),
        _makers([row for row in rows if row["run"]]),
    )


def confusion(matrix: go.Figure) -> str:
    if not matrix.data:
        return ""
    return markup.section("What is taken for what", markup.figure(matrix, "confusion-matrix"))


def training(header: Mapping[str, str], curves: go.Figure) -> str:
    facts = {markup.spaced(name): header[name] for name in FIRST if name in header}
    others = {markup.spaced(name): value for name, value in header.items() if name not in FIRST}
    return markup.section(
        "Training",
        markup.definitions(facts),
        markup.details("The rest of the encoder's header", markup.definitions(others)),
        markup.figure(curves, "training-curves"),
    )


def data(summary: Mapping[str, Any], grid: np.ndarray) -> str:
    splits = {
        name: {**split, "fingerprint": split["fingerprint"][:FINGERPRINT]} for name, split in summary["splits"].items()
    }
    return markup.section(
        "Data",
        markup.facts({**summary, "splits": splits}),
        markup.image(grid, "Some of the images, as they were read"),
    )


def run(manifest: Mapping[str, Any]) -> str:
    git = manifest.get("git") or {}
    revision = f"{git.get('revision') or 'unknown'}{' with changes' if git.get('dirty') else ''}"
    reads = [(name, read["version"], read["command"]) for name, read in manifest["reads"].items()]
    facts = {
        "run": manifest["run_id"],
        "command": manifest["command"],
        "environment": manifest["environment"],
        "pipelines": manifest["pipelines"],
        "git revision": revision,
        "python": manifest["python"],
        "platform": manifest["platform"],
    }
    parameters = json.dumps(manifest["parameters"], indent=2, ensure_ascii=False)
    return markup.section(
        "This run",
        markup.definitions(facts),
        markup.details("What it read", markup.table(("entry", "version", "made by"), reads)),
        markup.details("Parameters", f"<pre>{escape(parameters)}</pre>"),
        markup.details("Packages", markup.definitions(manifest["packages"])),
    )


def _source(row: Mapping[str, str]) -> str:
    address = LINKS.get(row["reference"])
    return markup.link(row["reference"].removeprefix("sthalles/"), address) if address else "measured"


def _makers(rows: list[dict[str, str]]) -> str:
    """Run and command of each measured row, to be opened."""
    columns = ("classifier", "features", "run", "command")
    made = markup.table(columns, [[row[name] for name in columns] for row in rows])
    return markup.details("Which run and command made each row", made) if rows else ""


def render(header: Mapping[str, str], manifest: Mapping[str, Any], parts: Iterable[str]) -> str:
    """`parts` (HTML) as one HTML5 page under a heading; plotly.js is in it once, and it loads nothing."""
    data = IN_WORDS.get(header["data"], header["data"])
    title = f"BYOL features of {header['architecture']}, trained on {data}"
    heading = [
        f"<header><h1>{escape(title)}</h1>",
        paragraph(f"run {manifest['run_id']} · encoder {header['version']}"),
        "</header>",
    ]
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), plotly=get_plotlyjs(), body="\n".join([*heading, *parts]))
