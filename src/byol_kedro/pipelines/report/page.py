"""The report: one HTML file that opens without a network."""

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from .markup import paragraph

IN_WORDS = {"folder": "a folder of pictures", "array": "an array of pictures"}


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
