"""The quality of the features during the training. Test images are not read."""

import numpy as np
import torch

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import encode, project
from byol_kedro.byol.method import Method
from byol_kedro.byol.train import Evaluate
from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.probes.knn import knn_probabilities
from byol_kedro.evaluation.representation import effective_rank
from byol_kedro.log import get_logger
from byol_kedro.parameters import OnlineKnn
from byol_kedro.sources.source import UNKNOWN_LABEL

logger = get_logger(__name__)

NEIGHBORS = 5  # 2007.06346, table 1


def online_evaluation(
    images: Images, settings: OnlineKnn, header: EncoderHeader, seed: int, device: torch.device
) -> Evaluate:
    """A function that computes `effective_rank` and, with two or more labeled images, `knn_top1` of the networks.

    For kNN the labeled images are split into two halves by `seed`; the classes of one are predicted from the other.
    Each half has at most `settings.images`, which are read once and kept in memory. The rank is over both halves, or
    over as many unlabeled images if there are no labels. With fewer than two images nothing is computed.
    """
    labeled = np.flatnonzero(images.labels != UNKNOWN_LABEL)
    with_labels = len(labeled) >= 2
    pool = labeled if with_labels else np.arange(len(images))
    half = min(len(pool) // 2, settings.images)
    if not with_labels:
        lacking = "kNN top-1" if half else "kNN top-1 and no effective rank"
        found = f"{len(labeled)} of {len(images)} training images have a label, at least 2 are needed"
        logger.info("the history will have no %s: %s", lacking, found)
    chosen = np.random.default_rng(seed).permutation(pool)[: 2 * half]
    pixels, labels = images.pixels[chosen], torch.from_numpy(images.labels[chosen])

    def evaluate(network: Method) -> dict[str, float]:
        if not half:
            return {}
        features = encode(network.encoder, pixels, header, device)
        metrics = {"effective_rank": effective_rank(project(network.projector, features))}
        if with_labels:
            known, queries = torch.split(torch.from_numpy(features), half)
            probabilities = knn_probabilities(known, labels[:half], queries, NEIGHBORS, len(images.class_names))
            metrics["knn_top1"] = float((probabilities.argmax(dim=1) == labels[half:]).double().mean())
        return metrics

    return evaluate
