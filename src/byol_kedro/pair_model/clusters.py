"""Clusters of latent vectors, found without labels and compared with them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from sklearn.neighbors import KNeighborsClassifier

from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.evaluation.threads import one_thread
from byol_kedro.log import get_logger

if TYPE_CHECKING:
    from byol_kedro.parameters import Clusters

RESTARTS = 10
# Images that the silhouette looks at: its distances are between every two of them.
SILHOUETTE = 2_000
# HDBSCAN's time grows with the square of the images: 10,000 take 10 seconds.
HDBSCAN_LIMIT = 20_000
NOISE = -1

logger = get_logger(__name__)

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


def clusters(train: Vectors, others: Vectors, params: "Clusters", seed: int) -> tuple[Numbers, Numbers]:
    """Clusters of train (N, D), found in standardized vectors, and those that others (M, D) fall into.

    `kmeans`: `params.count` centers, or as many as train has different vectors where these are fewer; others go to
    the nearest center. `silhouette`: the same with the number of centers, from 2 to `params.count`, whose silhouette
    is the highest (Rousseeuw, Journal of Computational and Applied Mathematics 20 (1987), 53-65). `hdbscan`:
    clusters of at least `params.min_size` images (Campello, Moulavi, Sander, PAKDD 2013); what lies in none is -1;
    others go where the nearest training image is.

    Returns (N,) and (M,) int64. Standardization and clusters know train only. Where train is too large for HDBSCAN a
    line says so, and all lie in no cluster.
    """
    scaler = Scaler.fit(train)
    points, more = scaler(train), scaler(others)
    if params.method == "hdbscan":
        return _hdbscan(points, more, params.min_size)
    different = len(np.unique(points, axis=0))
    fitted = _kmeans(points, min(params.count, different), seed)
    if params.method == "silhouette" and different > 2:
        fitted = _highest_silhouette(points, min(params.count, different - 1), seed)
    assigned = fitted.predict(more) if len(more) else np.zeros(0)
    return fitted.labels_.astype(np.int64), assigned.astype(np.int64)


def agreement(cluster: Numbers, label: Numbers) -> dict[str, Any]:
    """nmi, ari, purity, n of cluster (N,) with label (N,) over the n images whose label is known (≥ 0).

    Normalized mutual information (arithmetic mean), adjusted Rand index, and the part of the images that have the
    most frequent label of their cluster, which rises with the number of clusters. What lies in no cluster counts as
    one of its own. None where no label is known.
    """
    known = label >= 0
    if not known.any():
        return {"nmi": None, "ari": None, "purity": None, "n": 0}
    cluster, label = cluster[known], label[known]
    _, place = np.unique(cluster, return_inverse=True)
    counts = np.zeros((place.max() + 1, label.max() + 1), np.int64)
    np.add.at(counts, (place, label), 1)
    return {
        "nmi": float(normalized_mutual_info_score(label, cluster)),
        "ari": float(adjusted_rand_score(label, cluster)),
        "purity": float(counts.max(axis=1).sum() / len(label)),
        "n": len(label),
    }


def nearest_to_centers(
    train: Vectors, train_cluster: Numbers, others: Vectors, cluster: Numbers, count: int
) -> dict[int, Numbers]:
    """For each cluster of others but noise, the rows of its at most `count` members nearest to the cluster's center.

    The center is the mean of the cluster's train images. train: (N, D), train_cluster: (N,); others: (M, D), cluster:
    (M,). Nearest in vectors standardized on train, in which the clusters were found; the nearest first.
    """
    if not len(train):
        return {}
    scaler = Scaler.fit(train)
    known, points = scaler(train), scaler(others)
    nearest = {}
    for number in np.unique(cluster[cluster != NOISE]):
        members = np.flatnonzero(cluster == number)
        apart = np.linalg.norm(points[members] - known[train_cluster == number].mean(axis=0), axis=1)
        nearest[int(number)] = members[np.argsort(apart, kind="stable")[:count]]
    return nearest


@one_thread()  # several threads would add up the centers in the order in which they are done
def _kmeans(points: Vectors, centers: int, seed: int) -> KMeans:
    fitted = KMeans(centers, n_init=RESTARTS, random_state=seed).fit(points)
    found = len(np.unique(fitted.labels_))
    if found < centers:
        logger.info("clusters: %d of the %d asked for, the vectors differ too little for more", found, centers)
    return fitted


def _highest_silhouette(points: Vectors, most: int, seed: int) -> KMeans:
    seen = np.random.default_rng(seed).permutation(len(points))[:SILHOUETTE]
    tried = {centers: _kmeans(points, centers, seed) for centers in range(2, most + 1)}
    heights = {centers: _silhouette(points[seen], fitted.labels_[seen]) for centers, fitted in tried.items()}
    best = max(heights, key=heights.__getitem__)
    logger.info("clusters: %d centers have the highest silhouette, %.3f, of 2 to %d", best, heights[best], most)
    return tried[best]


def _silhouette(points: Vectors, cluster: Numbers) -> float:
    """The lowest there is, -1, where all points lie in one cluster, as those may that were drawn of many."""
    return float(silhouette_score(points, cluster)) if len(np.unique(cluster)) > 1 else -1.0


def _hdbscan(points: Vectors, others: Vectors, min_size: int) -> tuple[Numbers, Numbers]:
    if len(points) > HDBSCAN_LIMIT:
        logger.warning(
            "pair_model.clusters.method: left out, hdbscan compares every two of the training images, %d are too many "
            "(at most %d); take kmeans or silhouette",
            len(points), HDBSCAN_LIMIT,
        )  # fmt: skip
    if not min_size <= len(points) <= HDBSCAN_LIMIT:
        return np.full(len(points), NOISE), np.full(len(others), NOISE)
    found = HDBSCAN(min_cluster_size=min_size, copy=True).fit(points).labels_.astype(np.int64)
    if not len(others):
        return found, np.zeros(0, np.int64)
    return found, KNeighborsClassifier(1).fit(points, found).predict(others).astype(np.int64)
