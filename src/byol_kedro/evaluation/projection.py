"""Projections of vectors to two dimensions, and the colors and symbols of their groups."""

from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from byol_kedro.errors import UserError

Projection = Literal["tsne", "umap"]

PERPLEXITY = 30
NEIGHBORS = 15  # McInnes, Healy, Melville, arXiv 1802.03426: umap-learn's default
# Ten colors that readers with and without color blindness tell apart (Petroff, arXiv 2107.02270); further groups repeat
# them with other symbols.
COLORS = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
SYMBOLS = ("circle", "diamond", "cross", "triangle-up", "square")
TITLES = {"tsne": "t-SNE", "umap": "UMAP"}


def check_method(method: Projection, parameter: str) -> None:
    """Check that the package for the method is installed.

    Raises:
        UserError: it is not; the message names `parameter`.
    """
    if method == "umap" and find_spec("umap") is None:
        raise UserError(
            f"{parameter}: umap needs the package umap-learn, which is not installed; pip install umap-learn, or use "
            "tsne"
        )


def project(vectors: NDArray[np.float32], method: Projection, seed: int) -> NDArray[np.float32]:
    """Coordinates (N, 2) of vectors (N, D), N at least 2, by t-SNE or UMAP.

    t-SNE: van der Maaten, Hinton, JMLR 9 (2008), 2579-2605, initialized with two principal components. UMAP: arXiv
    1802.03426.
    """
    return {"tsne": _tsne, "umap": _umap}[method](vectors, seed)


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
    """(n, D) → (n, 2)."""
    from umap import UMAP  # noqa: PLC0415  # an extra; `check_method` has found it

    if len(embeddings) == 2:
        return embeddings[:, :2]  # UMAP needs more points
    neighbors = max(2, min(NEIGHBORS, len(embeddings) - 1))
    # The spectral initialization needs more eigenvectors than a few points have.
    init = "spectral" if len(embeddings) > 2 * NEIGHBORS else "random"
    fitted: NDArray[np.float32] = UMAP(n_neighbors=neighbors, init=init, random_state=seed, n_jobs=1).fit_transform(
        embeddings
    )
    return fitted
