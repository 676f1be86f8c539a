"""The training of the pair model in TensorBoard."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from byol_kedro.datasets.events import EventFolder
from byol_kedro.log import get_logger
from byol_kedro.pair_model.training import Watch, unwatched

logger = get_logger(__name__)


@contextmanager
def on_board(events: EventFolder, *, wanted: bool) -> Iterator[Watch]:
    """Watches `fit_pair_model`: a point an epoch, under a name of its own for each training."""
    if not wanted:
        yield unwatched
        return
    name = f"pair-model-{datetime.now(UTC):%Y-%m-%dT%H.%M.%S}"
    with events.writer(name, done=0) as writer:
        logger.info("TensorBoard: this training is %s under tensorboard --logdir %s", name, events.root)
        yield writer.scalars
