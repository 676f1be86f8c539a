"""The report's sections on the latent vectors: their clusters and map, and how good the pair model is."""

import base64
import io
import json
import math
from collections.abc import Mapping
from string import Template
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from byol_kedro.datasets.images import Images
from byol_kedro.pipelines.report import markup
from byol_kedro.pipelines.report.table import with_interval

MAP = "pair-embedding-map"
SCORES = {"l1": "L1", "spearman": "Spearman", "r2": "R²", "l1_behind": "L1 behind the pair model"}
NO_PAIRS = "No score: there is no pair of test images, which takes two of them at least."
CLUSTERS = {
    "k": "clusters",
    "nmi": "NMI with the classes",
    "ari": "ARI with the classes",
    "purity": "purity",
    "n": "test images with a class",
}
SHEET = "A row for each cluster that has test images: those nearest to its center"
SIDE = 32  # pixels of a thumbnail
SHOWN = 96  # pixels on the screen
QUALITY = 80  # of JPEG: 2,000 thumbnails take some 2 MB
MOST = 4_000  # thumbnails; a map of more points has none, so that the page stays small

HOVER = Template("""
<div id="$plot-thumbnail" hidden
 style="position:fixed;width:${shown}px;height:${shown}px;overflow:hidden;pointer-events:none;z-index:9">
<img src="data:image/jpeg;base64,$data" alt="" style="position:absolute;max-width:none;width:${width}px"></div>
<script>
(() => {
  const plot = document.getElementById("$plot"), tile = document.getElementById("$plot-thumbnail");
  const image = tile.firstElementChild, starts = $starts, columns = $columns, side = $shown;
  plot.on("plotly_hover", ({points: [point], event}) => {
    const number = starts[point.curveNumber] + point.pointNumber;
    image.style.left = -side * (number % columns) + "px";
    image.style.top = -side * Math.floor(number / columns) + "px";
    tile.style.left = Math.min(event.clientX + 16, innerWidth - side) + "px";
    tile.style.top = Math.min(event.clientY + 16, innerHeight - side) + "px";
    tile.hidden = false;
  });
  plot.on("plotly_unhover", () => { tile.hidden = true; });
})();
</script>
""")


def clusters(
    metrics: Mapping[str, Any], vectors: pd.DataFrame, map_: go.Figure, sheet: np.ndarray, images_test: Images
) -> str:
    """`sheet` is (H, W, 3) uint8; the map's points are test images by name. Empty without a cluster."""
    if vectors.empty:
        return ""
    scores = {CLUSTERS.get(name, name): value for name, value in metrics["clusters"].items() if value is not None}
    return markup.section(
        "Clusters",
        markup.image(sheet, SHEET) if len(images_test) else "",
        markup.figure(map_, MAP) if map_.data else "",
        thumbnails_on_hover(map_, MAP, images_test),
        markup.definitions(scores),
        markup.details("Size of each cluster", _clusters(vectors, images_test.class_names)),
    )


def pairs(metrics: Mapping[str, Any]) -> str:
    """How good the pair model is; empty where there is none."""
    if not metrics["rows"]:
        return ""
    rows = [[row["model"], *(_score(row, name) for name in SCORES)] for row in metrics["rows"]]
    return markup.section(
        "Latent vectors",
        markup.paragraph(
            "A small network over pairs of images gives each image a short vector; the distance of two vectors is "
            "fitted to the pair's target. Measured on pairs of test images, with 95 % bootstrap intervals over the "
            "pairs, beside references that need no network."
        ),
        markup.table(["model", *SCORES.values()], rows, SCORES.values())
        if metrics["pairs"]["test"]
        else markup.paragraph(NO_PAIRS),
        markup.details("Pairs and units", markup.definitions(metrics["pairs"])),
    )


def _score(row: Mapping[str, Any], name: str) -> str:
    """Empty where it is the row's own by definition."""
    return "" if name == "l1_behind" and row["model"] == "pair model" else with_interval(row, name)


def _clusters(vectors: pd.DataFrame, class_names: list[str]) -> str:
    """A row for each cluster: its images, and the class that most of its labeled ones have."""
    rows = []
    for cluster, members in vectors.groupby("cluster"):
        labels = members.loc[members["label"] >= 0, "label"]
        common = labels.value_counts()
        name = f"{class_names[int(common.index[0])]} ({common.iloc[0] / len(labels):.0%})" if len(common) else "–"
        rows.append(("none" if cluster == -1 else cluster, len(members), name))
    return markup.table(("cluster", "images", "most frequent class"), rows, {"images"})


def thumbnails_on_hover(figure: go.Figure, plot: str, images: Images) -> str:
    """HTML that follows the figure, which is drawn into the element `plot`; nothing where it has too many points.

    The `text` of each point is the name of an image of `images`.
    """
    counts = [len(trace.text or ()) for trace in figure.data]
    names = [name for trace in figure.data for name in trace.text or ()]
    if not 0 < len(names) <= MOST:
        return ""
    rows = pd.Index(images.names).get_indexer(pd.Index(names))
    columns = math.ceil(len(names) ** 0.5)
    buffer = io.BytesIO()
    contact_sheet(images.pixels, rows, columns).save(buffer, format="JPEG", quality=QUALITY)
    return HOVER.substitute(
        plot=plot,
        shown=SHOWN,
        width=columns * SHOWN,
        columns=columns,
        starts=json.dumps(np.cumsum([0, *counts[:-1]]).tolist()),
        data=base64.b64encode(buffer.getvalue()).decode("ascii"),
    )


def contact_sheet(pixels: np.ndarray, rows: np.ndarray, columns: int) -> Image.Image:
    """The images `rows` of pixels (N, 3, H, W) uint8, each brought to 32 by 32, from left to right and down."""
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(rows) / columns) * SIDE))
    for place, row in enumerate(rows):
        image = Image.fromarray(np.ascontiguousarray(pixels[row].transpose(1, 2, 0)))
        sheet.paste(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), _corner(place, columns))
    return sheet


def _corner(place: int, columns: int) -> tuple[int, int]:
    return place % columns * SIDE, place // columns * SIDE
