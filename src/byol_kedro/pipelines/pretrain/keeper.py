"""Checkpoints while a training runs."""

import math
import time
from collections.abc import Callable

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.plan import Plan
from byol_kedro.byol.snapshot import Arrays, take_snapshot
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import DivergedError
from byol_kedro.datasets.checkpoints import TrainingFolder
from byol_kedro.errors import UserError
from byol_kedro.finite import NotFiniteError, check_finite
from byol_kedro.log import get_logger
from byol_kedro.pipelines.pretrain.stopping import StopRequest

logger = get_logger(__name__)

EXIT_BY_SIGNAL = 128  # plus the signal's number: what a shell reports of a process that a signal ended


class Keeper:
    """Is called after every step of `train`: writes a checkpoint when one is due, at the end, and before it stops.

    It is due `checkpoint.minutes` or `checkpoint.steps` after the one before, whichever comes first.
    """

    def __init__(
        self, folder: TrainingFolder, plan: Plan, stop: StopRequest, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._plan, self._stop, self._clock = folder, plan, stop, clock
        self._settings = plan.parameters.checkpoint
        self._last, self._steps = clock(), 0
        self._complained = False

    def __call__(self, state: TrainState, monitor: Monitor) -> None:
        """Raises SystemExit with 143 (SIGTERM), 130 (SIGINT) or 129 (SIGHUP) where the run was told to stop.

        DivergedError where what was to be written is no number: no training could go on from it.
        """
        self._steps += 1
        number = self._stop.received
        written = None
        if number is not None or state.step == self._plan.steps or self._due():
            written = self._write(state, monitor)
        if number is not None:
            what = "a checkpoint of it is written" if written else "no checkpoint of it could be written"
            command = "the same command" + ("" if self._plan.parameters.resume else " with pretrain.resume=true")
            logger.info(
                "stopped by %s after step %s of %s; %s; %s goes on from the last one",
                number.name, f"{state.step:,}", f"{self._plan.steps:,}", what, command,
            )  # fmt: skip
            raise SystemExit(EXIT_BY_SIGNAL + number)

    def _due(self) -> bool:
        steps = self._settings.steps
        late = self._clock() - self._last >= 60 * self._settings.minutes
        return late or (steps is not None and self._steps >= steps)

    def _write(self, state: TrainState, monitor: Monitor) -> bool:
        """Whether it could be written. A training does not die of a full disk: it may be whole before the next one."""
        keep = 1 if state.step == self._plan.steps else self._settings.keep
        with monitor.paused():
            arrays, header = take_snapshot(state, monitor)
            self._check(arrays, state, monitor)
            try:
                self._folder.write(state.step, arrays, header, keep)
            except UserError as error:
                if not self._complained:
                    logger.warning("no checkpoint after step %s, the training goes on: %s", f"{state.step:,}", error)
                self._complained = True
                return False
            finally:
                self._last, self._steps = self._clock(), 0
        return True

    def _check(self, arrays: Arrays, state: TrainState, monitor: Monitor) -> None:
        """DivergedError where a training could not go on from `arrays`; the loss may not have been read since."""
        loss = float(monitor.pending()[0][0])
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}", state, self._plan)
        try:
            check_finite(arrays, "the training's", "")
        except NotFiniteError as error:
            raise DivergedError(error.found, state, self._plan) from None
