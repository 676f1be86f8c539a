"""Clusters of latent vectors, found without labels and compared with them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from byol_kedro.evaluation.scaler import Scaler

RESTARTS = 10


def clusters(
    train: NDArray[np.float32], test: NDArray[np.float32], count: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """k-means of train (N, D), fitted on standardised vectors; test (M, D) goes to the nearest centre.

    Returns the clusters (N,), (M,) int64 of both. There are `count` centres, or as many as train has
    different vectors where these are fewer. Standardisation and centres know train only.
    """
    scaler = Scaler.fit(train)
    points = scaler(train)
    centres = min(count, len(np.unique(points, axis=0)))
    fitted = KMeans(centres, n_init=RESTARTS, random_state=seed).fit(points)
    return fitted.labels_.astype(np.int64), fitted.predict(scaler(test)).astype(np.int64)


def agreement(cluster: NDArray[np.int64], label: NDArray[np.int64]) -> dict[str, Any]:
    """nmi, ari, n of cluster (N,) with label (N,) over the n pictures whose label is known (≥ 0).

    Normalised mutual information (arithmetic mean) and adjusted Rand index; None where no label is known.
    """
    known = label >= 0
    if not known.any():
        return {"nmi": None, "ari": None, "n": 0}
    return {
        "nmi": float(normalized_mutual_info_score(label[known], cluster[known])),
        "ari": float(adjusted_rand_score(label[known], cluster[known])),
        "n": int(known.sum()),
    }
