"""k nearest neighbors by cosine similarity."""

import numpy as np
import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Arrays, Features, FittedProbe, Knn, Labels

# One block of similarities is 1,024 by 4,096 float32, 16 MiB, for any number of training and test images.
TEST_ROWS = 1024
TRAIN_ROWS = 4096


def fit(x: Features, y: Labels, n_classes: int, params: Knn, seed: int) -> FittedProbe:
    """Keep the training images x (N, D) float32 and y (N,) int64: nothing is learned, nothing is random."""
    del seed
    return FittedProbe(
        {"features": x, "labels": y, "neighbors": np.array(params.neighbors), "n_classes": np.array(n_classes)}
    )


def predict(x: Features, arrays: Arrays) -> Features:
    """Class probabilities (M, n_classes) float32 of features x (M, D) float32, see `knn_probabilities`.

    Cosine similarity needs no standardized features.
    """
    train_x, train_y = torch.from_numpy(arrays["features"]), torch.from_numpy(arrays["labels"])
    neighbors, n_classes = int(arrays["neighbors"]), int(arrays["n_classes"])
    return knn_probabilities(train_x, train_y, torch.from_numpy(x), neighbors, n_classes).numpy()


@torch.no_grad()
def knn_probabilities(
    train_x: torch.Tensor, train_y: torch.Tensor, test_x: torch.Tensor, neighbors: int, n_classes: int
) -> torch.Tensor:
    """Class probabilities (M, n_classes) float32 by a vote of the nearest training rows.

    A neighbor of similarity s has the vote 1 + (1 + s) / (2 (k + 1)). The parts above 1 add up to less than one vote
    over all k neighbors, so the class with the most neighbors wins, and of classes with equally many the one with the
    larger sum of similarities.

    Args:
        train_x: (N, D) float32, on the same device as the others, as is the result.
        train_y: (N,) int64.
        test_x: (M, D) float32.
        neighbors: Number of neighbors that vote; all of them if there are fewer training rows.
        n_classes: Number of columns.
    """
    similarity, label = nearest(train_x, train_y, test_x, min(neighbors, len(train_x)))
    votes = 1 + (1 + similarity) / (2 * (similarity.shape[1] + 1))  # (M, k)
    scores = votes.new_zeros(len(votes), n_classes).scatter_add_(1, label, votes)
    return scores / scores.sum(dim=1, keepdim=True)


def nearest(
    train_x: torch.Tensor, train_y: torch.Tensor, test_x: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarities (M, k) and labels (M, k) of the k nearest training rows of each test row, the nearest first."""
    test = F.normalize(test_x, dim=1)
    similarity = test.new_full((len(test), k), -torch.inf)
    label = train_y.new_zeros((len(test), k))
    for block_x, block_y in zip(torch.split(train_x, TRAIN_ROWS), torch.split(train_y, TRAIN_ROWS), strict=True):
        block = F.normalize(block_x, dim=1).T
        for start in range(0, len(test), TEST_ROWS):
            rows = slice(start, start + TEST_ROWS)
            value, column = (test[rows] @ block).topk(min(k, len(block_x)), dim=1)
            values = torch.cat([similarity[rows], value], dim=1)
            labels = torch.cat([label[rows], block_y[column]], dim=1)
            similarity[rows], order = values.topk(k, dim=1)
            label[rows] = labels.gather(1, order)
    return similarity, label
