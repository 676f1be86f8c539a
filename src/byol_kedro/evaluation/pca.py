"""Principal components of raw pixels: what simple features give."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from byol_kedro.byol.finite import check_features
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.log import counted, get_logger

# 1,024 images of 96 by 96 are 108 MiB as float32.
ROWS = 1024
# The variance of a component: one pixel that differs by one step in one of 100,000 images has 1.5e-10.
UNVARIED = 1e-9

logger = get_logger(__name__)


def fit_pca(pixels: NDArray[np.uint8], components: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """The first principal components of pixels (N, 3, H, W) uint8, flattened to D = 3HW and taken to [0, 1].

    Gives `mean` (D,), `components` (K, D), orthonormal rows, and `explained_variance` (K,), all float32. K is
    `components`, or fewer where the images do not vary in so many directions: at most min(N - 1, D). The
    decomposition is randomized (Halko, Martinsson, Tropp, arXiv 0909.4061) and repeats for the same `seed`. All N
    images are held as float32: 4 N D bytes.
    """
    n, d = len(pixels), int(np.prod(pixels.shape[1:]))
    if n < 2:
        empty = np.zeros(0, np.float32)
        return {
            "mean": np.zeros(d, np.float32),
            "components": empty.reshape(0, d),
            "explained_variance": empty,
        }
    # Centering may overwrite the array: it was made here and nobody else has it.
    model = PCA(min(components, n - 1, d), svd_solver="randomized", random_state=seed, copy=False)
    with np.errstate(invalid="ignore"):  # of images that are all the same scikit-learn divides 0 by 0
        model.fit(_flat(pixels))
    variance = model.explained_variance_
    if variance[0] < UNVARIED and all((pixels[i : i + ROWS] == pixels[0]).all() for i in range(0, n, ROWS)):
        logger.warning("PCA: all %s training images are the same: nothing can be learned from them", f"{n:,}")
    # A direction in which train does not vary is rounding: test images do vary in it, and standardized on train
    # it would outweigh all others. The first one stays, so that images that are all the same have features.
    kept = max(1, int(np.sum(variance > np.finfo(np.float32).eps * variance[0])))
    if kept < components:
        found = counted(kept, "component")
        logger.info("PCA: %s of %s, fewer than the %d asked for", found, counted(n, "image"), components)
    names = {
        "mean": model.mean_,
        "components": model.components_[:kept],
        "explained_variance": variance[:kept],
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in names.items()}


def project(pixels: NDArray[np.uint8], weights: dict[str, NDArray[np.float32]]) -> Features:
    """Features (N, K) float32 of pixels (N, 3, H, W) uint8, by what `fit_pca` gave; `ROWS` at a time.

    Raises NotFiniteError where some are no numbers.
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
