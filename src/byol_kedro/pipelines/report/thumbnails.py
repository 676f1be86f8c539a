"""The picture of a point, shown where the mouse is: all of them are one image inside the page."""

import base64
import io
import json
import math
from string import Template

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image

from byol_kedro.datasets.images import Images

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


def thumbnails_on_hover(figure: go.Figure, plot: str, images: Images) -> str:
    """HTML that follows the figure, which is drawn into the element `plot`; nothing where it has too many points.

    The `text` of each point is the name of a picture of `images`.
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
    """The pictures `rows` of pixels (N, 3, H, W) uint8, each brought to 32 by 32, from left to right and down."""
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(rows) / columns) * SIDE))
    for place, row in enumerate(rows):
        picture = Image.fromarray(np.ascontiguousarray(pixels[row].transpose(1, 2, 0)))
        sheet.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), _corner(place, columns))
    return sheet


def _corner(place: int, columns: int) -> tuple[int, int]:
    return place % columns * SIDE, place // columns * SIDE
