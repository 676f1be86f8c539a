"""k nearest neighbours by cosine similarity, near ones counting more: the kNN of the self-supervised literature."""

from typing import TYPE_CHECKING

import torch

from byol_kedro.evaluation.fit import Features, Fit, Labels
from byol_kedro.evaluation.knn import nearest

if TYPE_CHECKING:
    from byol_kedro.parameters import WeightedKnn


@torch.no_grad()
def weighted_knn(
    train_x: Features, train_y: Labels, test_x: Features, n_classes: int, params: "WeightedKnn", seed: int
) -> Fit:
    """Each of the nearest training rows votes with exp(similarity / `params.temperature`).

    Wu, Xiong, Yu, Lin, arXiv 1805.01978, §3.4. train_x (N, D), test_x (M, D) float32, as they are; train_y (N,)
    int64. At most N - 1 rows vote, since the vote of all would say more of the classes' sizes than of the
    picture; `chosen` has the number. Nothing is random: `seed` is there because every classifier has it.
    """
    del seed
    k = min(params.neighbours, max(1, len(train_x) - 1))
    tensors = (torch.from_numpy(train_x), torch.from_numpy(train_y), torch.from_numpy(test_x))
    similarity, label = nearest(*tensors, k)
    # A softmax over the neighbours is the same vote, freed of the common factor that could overflow.
    votes = torch.softmax(similarity / params.temperature, dim=1)  # (M, k)
    probabilities = votes.new_zeros(len(votes), n_classes).scatter_add_(1, label, votes)
    return Fit(probabilities.numpy(), chosen={"neighbours": float(k)})
