"""The training in TensorBoard."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import Watch
from byol_kedro.datasets.events import EventFolder
from byol_kedro.log import get_logger

logger = get_logger(__name__)

Image = npt.NDArray[np.uint8]


@contextmanager
def on_board(
    events: EventFolder, name: str | None, state: TrainState, monitor: Monitor, views: Callable[[], Image]
) -> Iterator[Watch]:
    """Watches `train`: its rows become curves under `name`, `views` an image at the first step. None: no events.

    A training that has a history but no events yet, since TensorBoard was not asked for, brings its history along.
    """
    if name is None:
        yield lambda _done, _row: None
        return
    begins = state.step == 0 or not events.has_events(name)
    with events.writer(name, done=state.step) as writer:
        logger.info("TensorBoard: this training is %s under tensorboard --logdir %s", name, events.root)
        if begins:
            writer.image("first_views", 1, views())
            for row in monitor.rows:
                writer.scalars(row.step, _values(row))
        yield lambda _done, row: writer.scalars(row.step, _values(row)) if row else None


def _values(row: Row) -> dict[str, float]:
    return {name: value for name, value in dataclasses.asdict(row).items() if name != "step"}


def both(first: Watch, second: Watch) -> Watch:
    """Calls one after the other."""

    def watch(done: int, row: Row | None) -> None:
        first(done, row)
        second(done, row)

    return watch
