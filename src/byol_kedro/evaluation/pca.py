"""Principal components of raw pixels, the simplest baseline features."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from byol_kedro.byol.finite import check_features
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.log import counted, get_logger

# 1,024 images of 96 by 96 are 108 MiB as float32.
ROWS = 1024
# Of a component. If one pixel of one of 100,000 images differs by one step, the variance is 1.5e-10.
MIN_VARIANCE = 1e-9

logger = get_logger(__name__)


def fit_pca(pixels: NDArray[np.uint8], components: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """The first principal components of images, flattened to D = 3HW and scaled to [0, 1].

    The decomposition is randomized (Halko, Martinsson, Tropp, arXiv 0909.4061) and reproducible for the same seed. All
    images are in memory as float32, 4 N D bytes.

    Args:
        pixels: (N, 3, H, W) uint8.
        components: Number of components.
        seed: Seed of the decomposition.

    Returns:
        `mean` (D,), `components` (K, D) with orthonormal rows, and `explained_variance` (K,), all float32. K is
        `components`, or smaller if the images vary in fewer directions: at most min(N - 1, D).
    """
    n, d = len(pixels), int(np.prod(pixels.shape[1:]))
    if n < 2:
        empty = np.zeros(0, np.float32)
        return {
            "mean": np.zeros(d, np.float32),
            "components": empty.reshape(0, d),
            "explained_variance": empty,
        }
    # Centering may overwrite the array, which is a copy.
    model = PCA(min(components, n - 1, d), svd_solver="randomized", random_state=seed, copy=False)
    with np.errstate(invalid="ignore"):  # scikit-learn divides 0 by 0 if all images are the same
        model.fit(_flat(pixels))
    variance = model.explained_variance_
    if variance[0] < MIN_VARIANCE and all((pixels[i : i + ROWS] == pixels[0]).all() for i in range(0, n, ROWS)):
        logger.warning("PCA: all %s training images are the same, so nothing can be learned from them", f"{n:,}")
    # A direction without variance in train is a rounding error. Test images may vary in it, and standardization on
    # train would make it outweigh all others. The first one is kept, so that equal images have features as well.
    kept = max(1, int(np.sum(variance > np.finfo(np.float32).eps * variance[0])))
    if kept < components:
        found = counted(kept, "component")
        logger.info("PCA: %s of %s, fewer than pca_components (%d)", found, counted(n, "image"), components)
    arrays = {
        "mean": model.mean_,
        "components": model.components_[:kept],
        "explained_variance": variance[:kept],
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def project(pixels: NDArray[np.uint8], weights: dict[str, NDArray[np.float32]]) -> Features:
    """Features (N, K) float32 of pixels (N, 3, H, W) uint8, by the arrays of `fit_pca`, computed in blocks of `ROWS`.

    Raises:
        NotFiniteError: A feature is not finite.
    """
    features = np.empty((len(pixels), len(weights["components"])), np.float32)
    for start in range(0, len(pixels), ROWS):
        rows = slice(start, start + ROWS)
        features[rows] = (_flat(pixels[rows]) - weights["mean"]) @ weights["components"].T
    check_features(features, "features of the pixels, PCA", "run the pipeline baselines again")
    return features


def _flat(pixels: NDArray[np.uint8]) -> Features:
    flat = pixels.reshape(len(pixels), int(np.prod(pixels.shape[1:]))).astype(np.float32)
    flat /= 255
    return flat
