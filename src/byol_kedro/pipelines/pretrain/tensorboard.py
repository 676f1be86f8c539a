"""The training in TensorBoard."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import OnStep
from byol_kedro.datasets.events import EventFolder
from byol_kedro.log import get_logger

logger = get_logger(__name__)

Image = npt.NDArray[np.uint8]


@contextmanager
def tensorboard_callback(
    events: EventFolder | None, name: str, state: TrainState, monitor: Monitor, views: Callable[[], Image]
) -> Iterator[OnStep]:
    """A callback of `train` that writes each row of the history to TensorBoard.

    If the training has a history but no events yet, since TensorBoard was switched on later, the whole history is
    written first.

    Args:
        events: where the event files are written. With None the callback does nothing.
        name: name of the training in TensorBoard.
        state: the state that the training starts from.
        monitor: the history so far.
        views: makes the image that is shown at the first step.
    """
    if events is None:
        yield lambda _done, _row: None
        return
    is_new = state.step == 0 or not events.has_events(name)
    with events.writer(name, done=state.step) as writer:
        logger.info("TensorBoard: run %s of tensorboard --logdir %s", name, events.root)
        if is_new:
            writer.image("first_views", 1, views())
            for row in monitor.rows:
                writer.scalars(row.step, _values(row))
        yield lambda _done, row: writer.scalars(row.step, _values(row)) if row else None


def _values(row: Row) -> dict[str, float]:
    return {name: value for name, value in dataclasses.asdict(row).items() if name != "step"}
