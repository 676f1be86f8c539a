"""How good the features are as they are learned. No test image is read."""

import numpy as np
import torch

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import encode, project
from byol_kedro.byol.method import Method
from byol_kedro.byol.train import Measure
from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.probes.knn import knn_probabilities
from byol_kedro.evaluation.representation import effective_rank
from byol_kedro.log import get_logger
from byol_kedro.parameters import OnlineKnn
from byol_kedro.sources.stream import UNKNOWN_LABEL

logger = get_logger(__name__)

NEIGHBORS = 5  # 2007.06346, table 1


def online_measures(
    images: Images, settings: OnlineKnn, header: EncoderHeader, seed: int, device: torch.device
) -> Measure:
    """A function from the networks to `effective_rank` and, where two images or more have a label, `knn_top1`.

    For kNN the labeled images are split in two halves by `seed`; one is guessed from the other. Each has at most
    `settings.images`, which are read once and kept; the rank is over both. Without labels it is over as many others.
    Of fewer than two images nothing is measured.
    """
    labeled = np.flatnonzero(images.labels != UNKNOWN_LABEL)
    with_labels = len(labeled) >= 2
    pool = labeled if with_labels else np.arange(len(images))
    half = min(len(pool) // 2, settings.images)
    if not with_labels:
        lacking = "kNN top-1" if half else "kNN top-1 and no effective rank"
        found = f"{len(labeled)} of {len(images)} training images have a label, 2 expected"
        logger.info("the history will have no %s: %s", lacking, found)
    chosen = np.random.default_rng(seed).permutation(pool)[: 2 * half]
    pixels, labels = images.pixels[chosen], torch.from_numpy(images.labels[chosen])

    def measure(network: Method) -> dict[str, float]:
        if not half:
            return {}
        features = encode(network.encoder, pixels, header, device)
        found = {"effective_rank": effective_rank(project(network.projector, features))}
        if with_labels:
            known, asked = torch.split(torch.from_numpy(features), half)
            probabilities = knn_probabilities(known, labels[:half], asked, NEIGHBORS, len(images.class_names))
            found["knn_top1"] = float((probabilities.argmax(dim=1) == labels[half:]).double().mean())
        return found

    return measure
