"""k nearest neighbors by cosine similarity."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from byol_kedro.evaluation.probes.base import Features, Fit, Labels

if TYPE_CHECKING:
    from byol_kedro.parameters import Knn
if TYPE_CHECKING:
    from byol_kedro.parameters import KnnWeighted


# One block of similarities is 1,024 by 4,096 float32, 16 MiB, whatever the sizes of the two sets.
TEST_ROWS = 1024
TRAIN_ROWS = 4096


def knn(train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "Knn", seed: int) -> Fit:
    """Vote of the `params.neighbors` training rows that are nearest to each test row.

    train_x (N, D), test_x (M, D) float32, as they are: cosine similarity needs no scaler; train_y (N,) int64.
    Nothing is random and nothing is chosen: `seed` is there because every classifier has it.
    """
    del seed
    tensors = (torch.from_numpy(train_x), torch.from_numpy(train_y), torch.from_numpy(test_x))
    return Fit(knn_probabilities(*tensors, params.neighbors, n_classes).numpy())


@torch.no_grad()
def knn_probabilities(
    train_x: torch.Tensor, train_y: torch.Tensor, test_x: torch.Tensor, neighbors: int, n_classes: int
) -> torch.Tensor:
    """Class probabilities (M, n_classes) float32 on the device of the arguments, which are torch tensors.

    train_x (N, D) and test_x (M, D) float32, train_y (N,) int64, all on one device; with fewer than
    `neighbors` rows in train_x all of them vote. A neighbor of similarity s has the vote
    1 + (1 + s) / (2 (k + 1)): what is above 1 adds up to less than one vote over all k neighbors, so the
    class with the most neighbors wins, and among classes with equally many the one with the larger sum of
    similarities.
    """
    similarity, label = nearest(train_x, train_y, test_x, min(neighbors, len(train_x)))
    votes = 1 + (1 + similarity) / (2 * (similarity.shape[1] + 1))  # (M, k)
    scores = votes.new_zeros(len(votes), n_classes).scatter_add_(1, label, votes)
    return scores / scores.sum(dim=1, keepdim=True)


def nearest(
    train_x: torch.Tensor, train_y: torch.Tensor, test_x: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarities (M, k) and labels (M, k) of the k nearest training rows of each test row."""
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


@torch.no_grad()
def weighted_knn(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "KnnWeighted", seed: int
) -> Fit:
    """Each of the nearest training rows votes with exp(similarity / `params.temperature`).

    Wu, Xiong, Yu, Lin, arXiv 1805.01978, §3.4. train_x (N, D), test_x (M, D) float32, as they are; train_y (N,)
    int64. At most N - 1 rows vote, since the vote of all would say more of the classes' sizes than of the
    image; `chosen` has the number. Nothing is random: `seed` is there because every classifier has it.
    """
    del seed
    k = min(params.neighbors, max(1, len(train_x) - 1))
    tensors = (torch.from_numpy(train_x), torch.from_numpy(train_y), torch.from_numpy(test_x))
    similarity, label = nearest(*tensors, k)
    # A softmax over the neighbors is the same vote, freed of the common factor that could overflow.
    votes = torch.softmax(similarity / params.temperature, dim=1)  # (M, k)
    probabilities = votes.new_zeros(len(votes), n_classes).scatter_add_(1, label, votes)
    return Fit(probabilities.numpy(), chosen={"neighbors": float(k)})
