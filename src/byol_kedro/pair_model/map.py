"""A map of embeddings in two dimensions."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from byol_kedro.evaluation.projection import COLORS, SYMBOLS, TITLES, project
from byol_kedro.pair_model.clusters import NOISE

if TYPE_CHECKING:
    from byol_kedro.parameters import EmbeddingMap

UNLABELED, NO_CLUSTER = "unlabeled", "no cluster"


def draw_embedding_map(
    table: pd.DataFrame, embeddings: NDArray[np.float32], class_names: Sequence[str], params: "EmbeddingMap", seed: int
) -> go.Figure:
    """Scatter plot of a t-SNE or UMAP of at most `params.points` images.

    Points are colored by class, or by cluster if no label is known. Names are escaped, because plotly.js, in the
    report and in Kedro-Viz alike, reads texts as HTML; `html.unescape` restores them.

    Args:
        table: N rows with name, label (-1 if unknown) and cluster.
        embeddings: (N, D) float32.
        class_names: class name for each label.
        params: method and maximum number of points.
        seed: seed of the sample of images and of the method.

    Returns:
        The figure, without traces if N is below 2.
    """
    if len(table) < 2:
        return go.Figure()
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(table), min(params.points, len(table)), replace=False))
    shown = table.iloc[chosen].assign(group=_groups(table.iloc[chosen], class_names))
    coordinates = project(embeddings[chosen], params.method, seed)
    shown[["x", "y"]] = coordinates.astype(np.float64).round(2)
    figure = go.Figure(_traces(shown))
    figure.update_layout(
        template="plotly_white",
        title=f"Map of the embeddings ({TITLES[params.method]})",
        legend={"title": None, "itemsizing": "constant", "font": {"size": 13}},
        margin={"l": 20, "r": 20, "t": 60, "b": 20},
    )
    # The axes have no meaning, so they have no ticks, but both have the same scale.
    blank = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    figure.update_xaxes(**blank)
    figure.update_yaxes(**blank, scaleanchor="x")
    return figure


def _groups(shown: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    if (shown["label"] < 0).all():
        return [NO_CLUSTER if cluster == NOISE else f"cluster {cluster}" for cluster in shown["cluster"]]
    return [class_names[label] if label >= 0 else UNLABELED for label in shown["label"]]


def _traces(shown: pd.DataFrame) -> list[go.Scatter]:
    """One trace for each group, in the order of the labels, so that the legend can show and hide groups."""
    ordered = shown.sort_values(["label", "cluster"], kind="stable")
    groups = list(ordered.groupby("group", sort=False))
    return [
        go.Scatter(
            x=rows["x"].tolist(),  # arrays would be written in binary, which older viewers cannot read
            y=rows["y"].tolist(),
            mode="markers",
            name=escape(str(group), quote=False),
            marker={
                "size": 6,
                "opacity": 0.8,
                "color": COLORS[i % len(COLORS)],
                "symbol": SYMBOLS[i // len(COLORS) % len(SYMBOLS)],
            },
            text=[escape(name, quote=False) for name in rows["name"]],
            customdata=rows["cluster"].tolist(),
            hovertemplate="%{text}<br>cluster %{customdata}",
        )
        for i, (group, rows) in enumerate(groups)
    ]
