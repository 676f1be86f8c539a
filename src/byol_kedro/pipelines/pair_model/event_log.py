"""TensorBoard events of the training of the pair model."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from byol_kedro.datasets.events import EventFolder
from byol_kedro.log import get_logger
from byol_kedro.pair_model.training import OnEpoch, ignore_epoch

logger = get_logger(__name__)


@contextmanager
def event_logger(events: EventFolder, *, enabled: bool) -> Iterator[OnEpoch]:
    """A callback for `fit_pair_model` that writes the values of each epoch, under a new name for each training."""
    if not enabled:
        yield ignore_epoch
        return
    name = f"pair-model-{datetime.now(UTC):%Y-%m-%dT%H.%M.%S}"
    with events.writer(name, done=0) as writer:
        logger.info("TensorBoard: this training is %s in tensorboard --logdir %s", name, events.root)
        yield writer.scalars
