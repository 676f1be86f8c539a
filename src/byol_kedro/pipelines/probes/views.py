"""Two augmented views of the same images, through the encoder and through the same network untrained."""

import numpy as np
import torch

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder, untrained_encoder
from byol_kedro.byol.features import encode_view
from byol_kedro.byol.seeds import ALIGNMENT, stream_seed
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.names import BYOL, UNTRAINED
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.log import get_logger
from byol_kedro.parameters import View

# Four passes each. Of squared distances that spread as much as their mean, the mean is known to 3 %.
VIEWED = 1_000

logger = get_logger(__name__)


def two_views(
    encoder: Tensors, images: Images, seed: int, device: torch.device
) -> dict[str, tuple[Features, Features]]:
    """Features (n, D) of the first and of the second view of at most `VIEWED` images, by what tables call them.

    The views are drawn as those that the encoder was trained on, one of each of its two distributions; both
    networks see the same. Where the encoder's header does not name these, one line says so and there is nothing.
    """
    training = training_of(encoder)
    if training is None:
        logger.info("alignment: left out, the encoder's header does not say which views it was trained on")
        return {}
    header = EncoderHeader.from_dict(encoder.header)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:VIEWED])
    pixels, views = images.pixels[chosen], training[0].views
    networks = {BYOL: restore_encoder(header, encoder.arrays), UNTRAINED: untrained_encoder(header)}

    def seen(name: str, number: int, view: View) -> Features:
        whose = f"features of {name}, {('first', 'second')[number]} views"
        return encode_view(
            networks[name], pixels, view, header, stream_seed(seed, ALIGNMENT, number), device, name=whose
        )

    return {name: (seen(name, 0, views.first), seen(name, 1, views.second)) for name in networks}
