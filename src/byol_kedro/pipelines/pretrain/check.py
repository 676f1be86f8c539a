"""Checks of a training before the run writes anything."""

from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.trial import check_trainable
from byol_kedro.parameters import Parameters
from byol_kedro.pipelines.pretrain.resume import initialize


def check_training(parameters: Parameters, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> int:
    """Check the pretraining of a run.

    Returns:
        The number of features of the encoder.

    Raises:
        UserError: the device does not exist, the architecture cannot be trained on the images, or the file of
            `init_from` does not match the network.
    """
    device, training = resolve_device(parameters.device), parameters.pretrain
    ingests = "images_train" in pipeline.all_outputs()
    size = parameters.ingest.image_size if ingests else catalog.load("images_train").pixels.shape[-1]
    features = check_trainable(training.encoder, size, training.views.size)
    if training.init_from is not None:
        initialize(initial_state(training, size, parameters.seed, device), training)
    return features
