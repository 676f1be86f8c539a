"""The node that fits the pair model, with TensorBoard events of its training."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.files.weights import read_weights
from byol_kedro.log import get_logger
from byol_kedro.pair_model.model import pair_model_from_state_dict
from byol_kedro.pair_model.pairs import TRAIN, VALIDATION, ImagePool, pair_set
from byol_kedro.pair_model.training import OnEpoch, empty_history, fit_pair_model, ignore_epoch
from byol_kedro.parameters import PairModelParams
from byol_kedro.pipelines.pair_model.inputs import check_encoder_of_weights

logger = get_logger(__name__)


def fit_model(
    encoder: Tensors,
    image_pool: ImagePool,
    image_pairs: pd.DataFrame,
    event_files: EventFolder,
    settings: PairModelParams,
    tensorboard: bool,
    seed: int,
) -> tuple[Tensors, pd.DataFrame]:
    """Fit the pair model, or read the weights of `pair_model.weights_from`.

    Returns:
        The arrays of the pair model (see `PairModel.to_arrays`), none if there is neither a train pair nor a file; and
        the history of the training.
    """
    provenance = Provenance.of(encoder).to_header()
    train = pair_set(image_pairs, TRAIN, image_pool)
    if settings.weights_from is None and not len(train.target):
        return Tensors({}, provenance), empty_history()
    if settings.weights_from is None:
        with _event_logger(event_files, enabled=tensorboard) as on_epoch:
            validation = pair_set(image_pairs, VALIDATION, image_pool)
            model, history = fit_pair_model(train, validation, image_pool.scaler, settings, seed, on_epoch)
    else:
        content, origin = read_weights(Path(settings.weights_from), "pair_model.weights_from")
        check_encoder_of_weights(encoder, origin)
        model, history = pair_model_from_state_dict(content, settings.weights_from, image_pool.scaler), empty_history()
    header = {
        **provenance,
        "widths": json.dumps(model.widths),
        "feature_dim": str(len(model.scaler.mean)),
        "weights_from": settings.weights_from or "",
    }
    return Tensors(model.to_arrays(), header), history


@contextmanager
def _event_logger(events: EventFolder, *, enabled: bool) -> Iterator[OnEpoch]:
    """A callback for `fit_pair_model` that writes the values of each epoch, under a new name for each training."""
    if not enabled:
        yield ignore_epoch
        return
    name = f"pair-model-{datetime.now(UTC):%Y-%m-%dT%H.%M.%S}"
    with events.writer(name, done=0) as writer:
        logger.info("TensorBoard: this training is %s in tensorboard --logdir %s", name, events.root)
        yield writer.scalars
