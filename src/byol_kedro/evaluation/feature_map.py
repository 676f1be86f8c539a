"""A map of features in two dimensions, their clusters and nearest neighbors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from byol_kedro.evaluation.probes.base import Features
from byol_kedro.evaluation.projection import Projection, project
from byol_kedro.evaluation.search import nearest_others
from byol_kedro.evaluation.threads import one_thread

COMPONENTS = 50  # van der Maaten, Hinton, JMLR 9 (2008), section 4.2: 30; scikit-learn recommends 50
IMAGES_PER_CLUSTER = 10  # at least


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """The map of N features.

    Attributes:
        points: (N, 2) float32.
        cluster: (N,) int64.
        neighbors: (N, K) int64, rows of the features with the highest cosine similarity, the nearest first.
    """

    points: NDArray[np.float32]
    cluster: NDArray[np.int64]
    neighbors: NDArray[np.int64]


@one_thread()
def map_features(features: Features, method: Projection, clusters: int, neighbors: int, seed: int) -> FeatureMap:
    """Project features (N, D), N at least 2, to the plane, by principal components and t-SNE or UMAP.

    Features are scaled to length 1 before, so that distances agree with the cosine similarity of the neighbors.
    Clusters are those of k-means on the principal components, at most a tenth as many as images.

    Args:
        features: (N, D) float32.
        method: t-SNE or UMAP.
        clusters: number of clusters.
        neighbors: number of neighbors; fewer if there are not as many other images.
        seed: seed of the projection and of k-means.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Features = np.asarray(features / np.where(lengths > 0, lengths, 1), np.float32)
    components = min(COMPONENTS, *unit.shape)
    with np.errstate(invalid="ignore"):  # scikit-learn divides 0 by 0 if all features are the same
        reduced = PCA(components, svd_solver="randomized", random_state=seed).fit_transform(unit).astype(np.float32)
    count = max(1, min(clusters, len(unit) // IMAGES_PER_CLUSTER, len(np.unique(reduced, axis=0))))
    cluster = KMeans(count, n_init=3, random_state=seed).fit(reduced).labels_.astype(np.int64)
    return FeatureMap(project(reduced, method, seed), cluster, nearest_others(unit, neighbors)[1])
