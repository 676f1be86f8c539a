"""k nearest neighbors that vote with the exponential of their cosine similarity.

Wu, Xiong, Yu, Lin, arXiv 1805.01978, section 3.4.
"""

import numpy as np
import torch

from byol_kedro.evaluation.probes.base import Arrays, Features, FittedProbe, KnnWeighted, Labels
from byol_kedro.evaluation.probes.knn import nearest


def fit(x: Features, y: Labels, n_classes: int, params: KnnWeighted, seed: int) -> FittedProbe:
    """Keep the training images x (N, D) float32 and y (N,) int64: nothing is learned, nothing is random.

    At most N - 1 rows vote, since a vote of all would say more about the sizes of the classes than about the image;
    `chosen` has their number, `neighbors`.
    """
    del seed
    k = min(params.neighbors, max(1, len(x) - 1))
    arrays: Arrays = {
        "features": x,
        "labels": y,
        "neighbors": np.array(k),
        "temperature": np.array(params.temperature),
        "n_classes": np.array(n_classes),
    }
    return FittedProbe(arrays, chosen={"neighbors": float(k)})


@torch.no_grad()
def predict(x: Features, arrays: Arrays) -> Features:
    """Class probabilities (M, n_classes) float32 of features x (M, D) float32.

    The vote of a neighbor is exp(similarity / temperature). Cosine similarity needs no standardized features.
    """
    train_x, train_y = torch.from_numpy(arrays["features"]), torch.from_numpy(arrays["labels"])
    similarity, label = nearest(train_x, train_y, torch.from_numpy(x), int(arrays["neighbors"]))
    # A softmax over the neighbors is the same vote without the common factor, which could overflow.
    votes = torch.softmax(similarity / float(arrays["temperature"]), dim=1)  # (M, k)
    probabilities = votes.new_zeros(len(votes), int(arrays["n_classes"])).scatter_add_(1, label, votes)
    return probabilities.numpy()
