"""A map of latent vectors in two dimensions."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import qualitative
from sklearn.manifold import TSNE

from byol_kedro.errors import UserError
from byol_kedro.pair_model.clusters import NOISE

if TYPE_CHECKING:
    from byol_kedro.parameters import LatentMap

PERPLEXITY = 30
NEIGHBORS = 15  # McInnes, Healy, Melville, arXiv 1802.03426: umap-learn's default
UNLABELED, NO_CLUSTER = "unlabeled", "no cluster"
NO_UMAP = (
    "pair_model.map.method: umap needs the package umap-learn, which is not installed; "
    "pip install 'byol-kedro[umap]', or take tsne"
)
TITLES = {"tsne": "t-SNE", "umap": "UMAP"}


def check_map(params: "LatentMap") -> None:
    """UserError where a package is asked for that is not installed."""
    if params.method == "umap" and find_spec("umap") is None:
        raise UserError(NO_UMAP)


def draw_latent_map(
    table: pd.DataFrame, vectors: NDArray[np.float32], class_names: Sequence[str], params: "LatentMap", seed: int
) -> go.Figure:
    """t-SNE or UMAP of at most `params.points` images, drawn with `seed`, as a scatter plot.

    table: N rows with name, label (-1 where unknown), cluster; vectors: (N, D) float32, theirs. Colored
    by class, or by cluster where no label is known. Without a trace where N is below 2.
    """
    if len(table) < 2:
        return go.Figure()
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(table), min(params.points, len(table)), replace=False))
    shown = table.iloc[chosen].assign(group=_groups(table.iloc[chosen], class_names))
    coordinates = {"tsne": _tsne, "umap": _umap}[params.method](vectors[chosen], seed)
    shown[["x", "y"]] = coordinates.astype(np.float64).round(2)
    figure = go.Figure(_traces(shown))
    figure.update_layout(
        template="plotly_white",
        title=f"Map of the latent vectors ({TITLES[params.method]})",
        legend={"title": None, "itemsizing": "constant", "font": {"size": 13}},
        margin={"l": 20, "r": 20, "t": 60, "b": 20},
    )
    # Distances on the map are not to scale, and its axes mean nothing: no ticks, but one unit for both.
    blank = {"showticklabels": False, "showgrid": False, "zeroline": False, "ticks": ""}
    figure.update_xaxes(**blank)
    figure.update_yaxes(**blank, scaleanchor="x")
    return figure


def _groups(shown: pd.DataFrame, class_names: Sequence[str]) -> list[str]:
    if (shown["label"] < 0).all():
        return [NO_CLUSTER if cluster == NOISE else f"cluster {cluster}" for cluster in shown["cluster"]]
    return [class_names[label] if label >= 0 else UNLABELED for label in shown["label"]]


def _tsne(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """(n, D) → (n, 2)."""
    perplexity = max(1.0, min(PERPLEXITY, (len(vectors) - 1) / 3))
    centered = vectors - vectors.mean(axis=0, dtype=np.float64)
    spread = float(np.abs(centered).max())
    # Vectors that are all the same have a PCA of NaN, very small ones too, and at NaN scikit-learn's t-SNE ends
    # the process (SIGSEGV). The scale of the vectors is nothing to t-SNE: the perplexity takes it out.
    start = "pca" if spread > 0 else "random"
    fitted: NDArray[np.float32] = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(
        (centered / (spread or 1)).astype(np.float32)
    )
    return fitted


def _umap(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """(n, D) → (n, 2). UserError where umap-learn is not installed."""
    try:
        from umap import UMAP  # noqa: PLC0415  # an extra
    except ImportError:
        raise UserError(NO_UMAP) from None
    if len(vectors) == 2:
        return vectors[:, :2]  # UMAP has nothing to lay out
    neighbors = max(2, min(NEIGHBORS, len(vectors) - 1))
    # Of very few vectors there are not enough eigenvectors to start from.
    start = "spectral" if len(vectors) > 2 * NEIGHBORS else "random"
    fitted: NDArray[np.float32] = UMAP(n_neighbors=neighbors, init=start, random_state=seed, n_jobs=1).fit_transform(
        vectors
    )
    return fitted


def _traces(shown: pd.DataFrame) -> list[go.Scatter]:
    """One trace a group, in the order of the labels, so that the legend shows and hides it."""
    ordered = shown.sort_values(["label", "cluster"], kind="stable")
    groups = list(ordered.groupby("group", sort=False))
    colors = qualitative.T10 if len(groups) <= len(qualitative.T10) else qualitative.Dark24
    return [
        go.Scatter(
            x=rows["x"].tolist(),  # lists: arrays would be written in binary, which older viewers cannot read
            y=rows["y"].tolist(),
            mode="markers",
            name=str(group),
            marker={"size": 6, "opacity": 0.8, "color": colors[i % len(colors)]},
            text=rows["name"].tolist(),
            customdata=rows["cluster"].tolist(),
            hovertemplate="%{text}<br>cluster %{customdata}",
        )
        for i, (group, rows) in enumerate(groups)
    ]
