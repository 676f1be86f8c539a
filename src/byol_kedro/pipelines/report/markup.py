"""Small pieces of HTML. Everything that is not markup itself is escaped here."""

import base64
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Collection[str] = frozenset(),
    kind: str = "rows",
) -> str:
    """A table that scrolls sideways where it is too wide; the columns in `right` are set to the right.

    `kind` is its class: cells of "facts" are wrapped, those of "rows" are not.
    """
    classes = [' class="right"' if heading in right else "" for heading in headings]
    head = "".join(f"<th{css}>{escape(heading)}</th>" for css, heading in zip(classes, headings, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{css}>{text(cell)}</td>" for css, cell in zip(classes, row, strict=True)) + "</tr>"
        for row in rows
    )
    content = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table class="{kind}">{content}</table></div>'


def link(label: str, address: str) -> "Markup":
    """A plain link: nothing is loaded until somebody follows it."""
    return Markup(f'<a href="{escape(address)}">{escape(label)}</a>')


class Markup(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def text(value: object) -> str:
    """`value` as escaped text; numbers are short, lists and mappings joined, nothing is a dash."""
    match value:
        case Markup():
            shown: str = value
        case bool():
            shown = str(value)
        case int():
            shown = f"{value:,}"
        case float():
            shown = f"{value:.4g}"
        case Mapping():
            shown = ", ".join(f"{text(name)} {text(item)}" for name, item in value.items())
        case list() | tuple():
            shown = ", ".join(text(item) for item in value)
        case _:
            shown = escape(str(value or ""))
    return shown or "–"


def definitions(facts: Mapping[str, Any]) -> str:
    """A definition list of `facts`; nested mappings are lists within it."""
    items = (
        (escape(str(name)), definitions(value) if isinstance(value, Mapping) else text(value))
        for name, value in facts.items()
    )
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in items) + "</dl>"


def details(summary: str, body: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def paragraph(sentences: str, css: str = "plain") -> str:
    return f'<p class="{css}">{escape(sentences)}</p>'


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def figure(plot: go.Figure, name: str) -> str:
    """The plot as a division that plotly.js, which the page carries once, draws into."""
    config = {"responsive": True, "displaylogo": False, "displayModeBar": False}
    drawn = plot.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=config)
    height = plot.layout.height or 600
    return f'<figure style="height:{int(height)}px">{drawn}</figure>'


def image(pixels: np.ndarray, caption: str) -> str:
    """(H, W, 3) uint8 RGB as an embedded PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    words = escape(caption)
    image = f'<img src="data:image/png;base64,{data}" alt="{words}">'
    return f"<figure>{image}<figcaption>{words}</figcaption></figure>"


def facts(summary: Mapping[str, Any]) -> str:
    """Any JSON object: mappings of like mappings are tables with a column for each, all else is a list."""
    tables = {name: value for name, value in summary.items() if _is_table(value)}
    plain = {name: value for name, value in summary.items() if name not in tables}
    return definitions({spaced(name): value for name, value in plain.items()}) + "".join(
        table(
            [spaced(name), *columns],
            [[spaced(row), *(column[row] for column in columns.values())] for row in next(iter(columns.values()))],
            kind="facts",
        )
        for name, columns in tables.items()
    )


def spaced(name: str) -> str:
    """A name of a field as words."""
    return name.replace("_", " ")


def _is_table(value: object) -> bool:
    if not isinstance(value, Mapping) or not value:
        return False
    rows = list(value.values())
    return all(isinstance(row, Mapping) and list(row) == list(rows[0]) for row in rows)
