"""The HTML page of the report: Jinja2 templates, and the figures and images embedded in them."""

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from plotly.offline import get_plotlyjs

from byol_kedro.datasets.images import Images
from byol_kedro.files.tiles import tiled
from byol_kedro.log import counted
from byol_kedro.pipelines.report.table import Difference, Link, signed, spaced

PLOT_CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}
PLOT_HEIGHT = 600  # pixels, of a figure that sets none
THUMBNAIL = 32  # pixels, stored
THUMBNAIL_SHOWN = 96  # pixels, on the screen
JPEG_QUALITY = 80  # 2,000 thumbnails take about 2 MB
MAX_THUMBNAILS = 4_000  # a map with more points has none, which keeps the page small


@dataclass(frozen=True)
class Plot:
    """A Plotly figure as an HTML fragment, for a page that includes plotly.js."""

    html: str
    height: int  # pixels


@dataclass(frozen=True)
class Thumbnails:
    """One JPEG with the images of all points of a map, shown on hover."""

    jpeg: str  # base64
    columns: int
    starts: list[int]  # number of the first point of each trace
    side: int = THUMBNAIL_SHOWN


def render(context: Mapping[str, Any]) -> str:
    """Renders `templates/page.html.j2` into one HTML5 file that loads nothing from elsewhere.

    The templates escape every value except plotly.js and the HTML of a `Plot`, which Plotly writes.
    """
    # Not `select_autoescape`: it goes by the end of the file name, which is .j2 here.
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": format_value, "counted": counted, "signed": signed, "spaced": spaced}
    environment.filters["json"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    environment.tests |= {
        "difference": lambda value: isinstance(value, Difference),
        "link": lambda value: isinstance(value, Link),
    }
    return environment.get_template("page.html.j2").render(context, plotlyjs=get_plotlyjs())


def format_value(value: object) -> str:
    """Formats a value of a table or list as plain text; None and empty values are a dash."""
    match value:
        case bool():
            shown = str(value)
        case int():
            shown = f"{value:,}"
        case float():
            shown = f"{value:.4g}"
        case Mapping():
            shown = ", ".join(f"{name} {format_value(item)}" for name, item in value.items())
        case list() | tuple():
            shown = ", ".join(format_value(item) for item in value)
        case _:
            shown = str(value or "")
    return shown or "–"


def plot(figure: go.Figure, name: str) -> Plot:
    """Embeds a figure as a `<div>` with the id `name`."""
    html = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=PLOT_CONFIG)
    # Plotly writes the figure as JSON in which <, > and / are escaped.
    return Plot(html, int(figure.layout.height or PLOT_HEIGHT))


def png(pixels: np.ndarray) -> str:
    """Encodes an image (H, W, 3) uint8 RGB as PNG in base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def thumbnails(figure: go.Figure, images: Images) -> Thumbnails | None:
    """Packs the image of every point of a map into one JPEG.

    Args:
        figure: The map of the embeddings (`draw_embedding_map`).
        images: The images that the points name.

    Returns:
        None if the map has no point or more than `MAX_THUMBNAILS`.
    """
    counts = [len(trace.text or ()) for trace in figure.data]
    names = [unescape(name) for trace in figure.data for name in trace.text or ()]
    if not 0 < len(names) <= MAX_THUMBNAILS:
        return None
    rows = pd.Index(images.names).get_indexer(pd.Index(names))
    columns = math.ceil(len(names) ** 0.5)
    buffer = io.BytesIO()
    contact_sheet(images.pixels, rows, columns).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    jpeg = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnails(jpeg, columns, np.cumsum([0, *counts[:-1]]).tolist())


def contact_sheet(pixels: np.ndarray, rows: Sequence[int] | np.ndarray, columns: int) -> Image.Image:
    """Tiles the images `rows` of pixels (N, 3, H, W) uint8, resized to 32 × 32, row by row."""
    lines = math.ceil(len(rows) / columns)
    return tiled((pixels[row] for row in rows), columns=columns, rows=lines, side=THUMBNAIL)
