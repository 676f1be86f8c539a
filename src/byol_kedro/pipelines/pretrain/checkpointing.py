"""Checkpoints while a training runs."""

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from byol_kedro.byol.finite import NotFiniteError, check_finite
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.snapshot import Arrays, take_snapshot
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.train import DivergedError
from byol_kedro.datasets.checkpoints import TrainingFolder
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

logger = get_logger(__name__)

EXIT_BY_SIGNAL = 128  # plus the signal's number: what a shell reports of a process that a signal ended
# Of kill and of a scheduler, of Ctrl-C, of a terminal or a connection that is closed.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Signals belong to the process, and so does what is written here.
_requests: "list[StopRequest]" = []
_before: dict[signal.Signals, Any] = {}


class StopRequest:
    """While its block runs, the first of `SIGNALS` is only recorded in `received`.

    A second one acts as it would without this class: nobody has to wait for a long step. What the process was started
    to ignore, as nohup and a shell's background do, is ignored here, too. Python lets only the main thread install
    handlers: for a block in another thread, `catch_signals` has to be called in the main thread before.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._catches = False

    def __enter__(self) -> Self:
        _requests.append(self)
        self._catches = not _before and catch_signals()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _requests.remove(self)
        if self._catches:
            release_signals()
        if self.received is not None and kind is None:
            # It came too late for anybody in the block to look at it.
            signal.raise_signal(self.received)


def catch_signals() -> bool:
    """Let `SIGNALS` be recorded in the running `StopRequest`s; whether this is the main thread, which alone can."""
    if threading.current_thread() is not threading.main_thread():
        return False
    for number in SIGNALS:
        if number not in _before and signal.getsignal(number) not in (signal.SIG_IGN, None):
            _before[number] = signal.signal(number, _record)
    return True


def release_signals() -> None:
    """Undo `catch_signals`. Does nothing outside of the main thread."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in _before.items():
            signal.signal(number, handler)
        _before.clear()


def _record(number: int, _frame: FrameType | None) -> None:
    release_signals()
    for request in _requests:
        request.received = signal.Signals(number)
    if not _requests:
        signal.raise_signal(number)


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
