"""How good the encoder is as it learns, by kNN among the labelled training pictures. No test picture is read."""

import numpy as np
import torch
from torch import nn

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import encode
from byol_kedro.byol.train import Score
from byol_kedro.datasets.images import UNKNOWN_LABEL, Images
from byol_kedro.evaluation.knn import knn_probabilities
from byol_kedro.log import get_logger
from byol_kedro.parameters import OnlineKnn

logger = get_logger(__name__)

NEIGHBOURS = 5  # 2007.06346 §4


def online_knn(
    images: Images, settings: OnlineKnn, header: EncoderHeader, seed: int, device: torch.device
) -> Score | None:
    """A function from an encoder to its kNN top-1, or None where fewer than two pictures have a label.

    The labelled pictures are split in two halves by `seed`; one is guessed from the other. Each has at most
    `settings.images`, which are read once and kept.
    """
    labelled = np.flatnonzero(images.labels != UNKNOWN_LABEL)
    if len(labelled) < 2:
        logger.info("the training pictures have no labels: the history will have no kNN top-1")
        return None
    half = min(len(labelled) // 2, settings.images)
    chosen = np.random.default_rng(seed).permutation(labelled)[: 2 * half]
    pixels, labels = images.pixels[chosen], torch.from_numpy(images.labels[chosen])

    def score(encoder: nn.Module) -> float:
        features = torch.from_numpy(encode(encoder, pixels, header, device))
        known, asked = torch.split(features, half)
        probabilities = knn_probabilities(known, labels[:half], asked, NEIGHBOURS, len(images.class_names))
        return float((probabilities.argmax(dim=1) == labels[half:]).double().mean())

    return score
