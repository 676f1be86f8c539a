"""Features of two augmented views of the same images, by the encoder and by the same network untrained."""

import numpy as np
import torch

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder, untrained_encoder
from byol_kedro.byol.features import encode_view
from byol_kedro.byol.seeds import ALIGNMENT, stream_seed
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import features_name, training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.names import UNTRAINED
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.log import get_logger
from byol_kedro.parameters import View

# Each image takes four forward passes. If squared distances vary as much as their mean, 1,000 give the mean within 3 %.
MAX_IMAGES = 1_000

logger = get_logger(__name__)


def encode_two_views(
    encoder: Tensors, images: Images, seed: int, device: torch.device
) -> dict[str, tuple[Features, Features]]:
    """Features (n, D) of the first and of the second view of at most `MAX_IMAGES` images, by the name of the network.

    The views are drawn from the two distributions on which the encoder was trained, the same ones for both networks.
    If the header of the encoder does not have them, a log line reports it and the result is empty.
    """
    training = training_of(encoder)
    if training is None:
        logger.info("alignment skipped: the header of the encoder does not have the augmentation of its training")
        return {}
    header = EncoderHeader.from_dict(encoder.header)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:MAX_IMAGES])
    pixels, views = images.pixels[chosen], training[0].views
    size = views.size or (header.image_size if header.imported_from else None)  # the images may have another size
    networks = {
        features_name(encoder.header): restore_encoder(header, encoder.arrays),
        UNTRAINED: untrained_encoder(header),
    }

    def features(name: str, number: int, view: View) -> Features:
        whose = f"features of {name}, {('first', 'second')[number]} views"
        stream = stream_seed(seed, ALIGNMENT, number)
        return encode_view(networks[name], pixels, view, header, stream, device, size=size, name=whose)

    return {name: (features(name, 0, views.first), features(name, 1, views.second)) for name in networks}
