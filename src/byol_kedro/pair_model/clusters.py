"""Clusters of embeddings, fitted without labels and compared with them."""

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
IMAGES_PER_CLUSTER = 10  # chosen: with fewer, clusters of small sets are of single images
# Images that the silhouette is computed on; its cost is quadratic in their number.
SILHOUETTE_SAMPLE = 2_000
# HDBSCAN's cost is quadratic in the number of images: 10,000 take 10 seconds.
HDBSCAN_LIMIT = 20_000
NOISE = -1

logger = get_logger(__name__)

Embeddings = NDArray[np.float32]
Numbers = NDArray[np.int64]


def cluster_embeddings(train: Embeddings, others: Embeddings, params: "Clusters", seed: int) -> tuple[Numbers, Numbers]:
    """Fit clusters to train and assign the other images to them.

    Scaler and clusters are fitted on train only. The methods are:

    - `kmeans`: `params.count` centers, but at most a tenth as many as train has images, and not more than it has
      distinct embeddings; others are assigned to the nearest center.
    - `silhouette`: k-means with the number of centers, from 2 to `params.count`, that has the highest silhouette
      (Rousseeuw, Journal of Computational and Applied Mathematics 20 (1987), 53-65), with the same limits.
    - `hdbscan`: clusters of at least `params.min_size` images (Campello, Moulavi, Sander, PAKDD 2013); noise is -1;
      others get the cluster of the nearest train image. If train is larger than `HDBSCAN_LIMIT`, a warning is logged
      and all images are noise.

    Args:
        train: (N, D) float32.
        others: (M, D) float32.
        params: method and its settings.
        seed: seed of k-means and of the silhouette's sample.

    Returns:
        Clusters of train (N,) int64 and of the others (M,) int64.
    """
    scaler = Scaler.fit(train)
    points, more = scaler(train), scaler(others)
    if params.method == "hdbscan":
        return _hdbscan(points, more, params.min_size)
    distinct, most = len(np.unique(points, axis=0)), _most_centers(params.count, len(points))
    fitted = _kmeans(points, min(most, distinct), seed)
    if params.method == "silhouette" and min(distinct - 1, most) > 1:
        fitted = _highest_silhouette(points, min(most, distinct - 1), seed)
    assigned = fitted.predict(more) if len(more) else np.zeros(0)
    return fitted.labels_.astype(np.int64), assigned.astype(np.int64)


def _most_centers(count: int, images: int) -> int:
    """The number of centers, at most one for every `IMAGES_PER_CLUSTER` images."""
    most = max(1, images // IMAGES_PER_CLUSTER)
    if most < count:
        logger.info(
            "clusters: at most %d, for %d training images, instead of pair_model.clusters.count (%d)",
            most, images, count,
        )  # fmt: skip
    return min(count, most)


def agreement(cluster: Numbers, label: Numbers) -> dict[str, Any]:
    """Agreement of clusters (N,) with labels (N,) over the n images with a known label (≥ 0).

    Noise counts as a cluster of its own. Purity increases with the number of clusters.

    Returns:
        nmi (normalized mutual information, arithmetic mean), ari (adjusted Rand index), purity (fraction of images that
        have the most frequent label of their cluster), all None if no label is known; and n.
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
    train: Embeddings, train_cluster: Numbers, others: Embeddings, cluster: Numbers, count: int
) -> dict[int, Numbers]:
    """For each cluster, the rows of the images nearest to its center, the nearest first.

    The center is the mean of the cluster's train images. Distances are those of embeddings standardized on train, as in
    `cluster_embeddings`. Noise is skipped.

    Args:
        train: (N, D) float32.
        train_cluster: (N,) clusters of train.
        others: (M, D) float32.
        cluster: (M,) clusters of the others.
        count: the maximum number of rows for each cluster.

    Returns:
        Rows of `others` by cluster.
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


@one_thread()  # with several threads the order of summation, and so the centers, would vary between runs
def _kmeans(points: Embeddings, centers: int, seed: int) -> KMeans:
    fitted = KMeans(centers, n_init=RESTARTS, random_state=seed).fit(points)
    found = len(np.unique(fitted.labels_))
    if found < centers:
        logger.info("clusters: found %d of %d requested, the embeddings are too similar for more", found, centers)
    return fitted


def _highest_silhouette(points: Embeddings, most: int, seed: int) -> KMeans:
    sample = np.random.default_rng(seed).permutation(len(points))[:SILHOUETTE_SAMPLE]
    fitted = {centers: _kmeans(points, centers, seed) for centers in range(2, most + 1)}
    scores = {centers: _silhouette(points[sample], kmeans.labels_[sample]) for centers, kmeans in fitted.items()}
    best = max(scores, key=scores.__getitem__)
    logger.info("clusters: %d centers have the highest silhouette, %.3f, of 2 to %d", best, scores[best], most)
    return fitted[best]


def _silhouette(points: Embeddings, cluster: Numbers) -> float:
    """The silhouette, or -1, its minimum, if a sample contains a single cluster."""
    return float(silhouette_score(points, cluster)) if len(np.unique(cluster)) > 1 else -1.0


def _hdbscan(points: Embeddings, others: Embeddings, min_size: int) -> tuple[Numbers, Numbers]:
    if len(points) > HDBSCAN_LIMIT:
        logger.warning(
            "pair_model.clusters.method: hdbscan was skipped, found %d training images, at most %d are supported; use "
            "kmeans or silhouette",
            len(points), HDBSCAN_LIMIT,
        )  # fmt: skip
    if not min_size <= len(points) <= HDBSCAN_LIMIT:
        return np.full(len(points), NOISE), np.full(len(others), NOISE)
    found = HDBSCAN(min_cluster_size=min_size, copy=True).fit(points).labels_.astype(np.int64)
    if not len(others):
        return found, np.zeros(0, np.int64)
    return found, KNeighborsClassifier(1).fit(points, found).predict(others).astype(np.int64)
