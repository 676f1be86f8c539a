"""A map of embeddings in two dimensions."""

from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from byol_kedro.errors import UserError
from byol_kedro.pair_model.clusters import NOISE

if TYPE_CHECKING:
    from byol_kedro.parameters import EmbeddingMap

PERPLEXITY = 30
NEIGHBORS = 15  # McInnes, Healy, Melville, arXiv 1802.03426: umap-learn's default
UNLABELED, NO_CLUSTER = "unlabeled", "no cluster"
NO_UMAP = (
    "pair_model.map.method: umap needs the package umap-learn, which is not installed; "
    "pip install umap-learn, or use tsne"
)
# Ten colors that readers with and without color blindness tell apart (Petroff, arXiv 2107.02270); further groups repeat
# them with other symbols.
COLORS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
SYMBOLS = ("circle", "diamond", "cross", "triangle-up", "square")
TITLES = {"tsne": "t-SNE", "umap": "UMAP"}


def check_map(params: "EmbeddingMap") -> None:
    """Check that the package for the method is installed.

    Raises:
        UserError: it is not.
    """
    if params.method == "umap" and find_spec("umap") is None:
        raise UserError(NO_UMAP)


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
    coordinates = {"tsne": _tsne, "umap": _umap}[params.method](embeddings[chosen], seed)
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


def _tsne(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """(n, D) → (n, 2)."""
    perplexity = max(1.0, min(PERPLEXITY, (len(embeddings) - 1) / 3))
    centered = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    spread = float(np.abs(centered).max())
    # The PCA of equal or very small embeddings is NaN, and scikit-learn's t-SNE crashes (SIGSEGV) if initialized with
    # NaN. Rescaling has no effect on t-SNE, since the perplexity determines its bandwidths.
    init = "pca" if spread > 0 else "random"
    fitted: NDArray[np.float32] = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(
        (centered / (spread or 1)).astype(np.float32)
    )
    return fitted


def _umap(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """(n, D) → (n, 2). Raises UserError if umap-learn is not installed."""
    try:
        from umap import UMAP  # noqa: PLC0415  # an extra
    except ImportError:
        raise UserError(NO_UMAP) from None
    if len(embeddings) == 2:
        return embeddings[:, :2]  # UMAP needs more points
    neighbors = max(2, min(NEIGHBORS, len(embeddings) - 1))
    # The spectral initialization needs more eigenvectors than a few points have.
    init = "spectral" if len(embeddings) > 2 * NEIGHBORS else "random"
    fitted: NDArray[np.float32] = UMAP(n_neighbors=neighbors, init=init, random_state=seed, n_jobs=1).fit_transform(
        embeddings
    )
    return fitted


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
