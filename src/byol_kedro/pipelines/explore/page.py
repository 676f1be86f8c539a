"""The interactive map as one HTML page: points, thumbnails and neighbors of every image."""

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.projection import COLORS, SYMBOLS
from byol_kedro.files.tiles import tiled

SPLITS = ("train", "test", "unlabeled")
SIDES = (64, 48, 32)  # pixels of a thumbnail: the largest for which all fit into MAX_PIXELS
MAX_PIXELS = 24_000_000
JPEG_QUALITY = 80
UNLABELED = "unlabeled"


def explorer_page(
    header: Mapping[str, str], feature_map: pd.DataFrame, neighbors: pd.DataFrame, splits: Mapping[str, Images]
) -> str:
    """The page as HTML5, which loads nothing from elsewhere.

    Args:
        header: the encoder's header.
        feature_map: the images with their coordinates (`nodes.map_images`).
        neighbors: names of the nearest images of each, the nearest first.
        splits: the images by split.
    """
    side = next((side for side in SIDES if len(feature_map) * side**2 <= MAX_PIXELS), SIDES[-1])
    columns = max(1, math.ceil(len(feature_map) ** 0.5))
    rows = pd.Index(feature_map["name"])
    content = {
        "x": _encoded(feature_map["x"], np.float32),
        "y": _encoded(feature_map["y"], np.float32),
        "names": feature_map["name"].tolist(),
        "neighbors": _encoded(rows.get_indexer(pd.Index(neighbors.to_numpy().ravel())), np.int32),
        "colorings": {
            "class": _grouping(feature_map["class"].replace("", UNLABELED)),
            "split": _grouping(feature_map["split"]),
            "cluster": _grouping("cluster " + feature_map["cluster"].astype(str), feature_map["cluster"]),
        },
        "perImage": neighbors.shape[1],
        "columns": columns,
        "side": side,
        "colors": COLORS,
        "symbols": SYMBOLS,
    }
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("explorer.html.j2").render(
        title=f"Features of {header['architecture']}",
        encoder_version=header["version"],
        count=len(feature_map),
        content=content,
        sheet=_sheet(feature_map, splits, columns, side),
        plotlyjs=get_plotlyjs(),
    )


def _grouping(names: pd.Series, order: pd.Series | None = None) -> dict[str, Any]:
    """Names of the groups and the group of each image; sorted by name, or by `order`."""
    frame = pd.DataFrame({"name": names, "order": names if order is None else order})
    groups = frame.drop_duplicates("name").sort_values("order")["name"].tolist()
    return {"groups": groups, "of": _encoded(pd.Index(groups).get_indexer(pd.Index(names)), np.int32)}


def _encoded(values: npt.ArrayLike, dtype: type[np.generic]) -> str:
    """Little-endian values in base64."""
    return base64.b64encode(np.asarray(values, np.dtype(dtype).newbyteorder("<")).tobytes()).decode("ascii")


def _sheet(feature_map: pd.DataFrame, splits: Mapping[str, Images], columns: int, side: int) -> str:
    """The thumbnails of all images, row by row, as one JPEG in base64."""
    rows = {split: pd.Index(images.names) for split, images in splits.items()}
    pixels = (
        splits[split].pixels[rows[split].get_loc(name)]
        for name, split in zip(feature_map["name"], feature_map["split"], strict=True)
    )
    lines = max(1, math.ceil(len(feature_map) / columns))
    sheet = tiled(pixels, columns=columns, rows=lines, side=side)
    buffer = io.BytesIO()
    sheet.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
