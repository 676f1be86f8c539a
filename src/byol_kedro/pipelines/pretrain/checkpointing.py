"""Checkpoints during a training, and a clean stop on a signal."""

import math
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol, Self

from byol_kedro.byol.distributed import ALONE, Group
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

EXIT_BY_SIGNAL = 128  # plus the number of the signal: the exit status that shells report
# Sent by kill and schedulers, by Ctrl-C, and by a terminal or connection that closes.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Signal handlers belong to the process, and so do these.
_requests: "list[StopRequest]" = []
_previous_handlers: dict[signal.Signals, Any] = {}


class Stop(Protocol):
    """Says whether the training has to stop."""

    @property
    def received(self) -> signal.Signals | None:
        """The signal that asks for it, if there is one."""


class StopRequest:
    """Context manager that records the first of `SIGNALS` in `received` instead of handling it.

    A second signal is handled as without this class, so that nobody has to wait for a long step. Signals that the
    process was started to ignore (by nohup, or in a shell's background) remain ignored. Only the main thread can
    install handlers: for a block in another thread, call `catch_signals` in the main thread first.
    """

    def __init__(self) -> None:
        """Create a request without a signal."""
        self.received: signal.Signals | None = None
        self._catches = False

    def __enter__(self) -> Self:
        """Start recording signals."""
        _requests.append(self)
        self._catches = not _previous_handlers and catch_signals()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording, and raise a signal that arrived too late to be checked."""
        _requests.remove(self)
        if self._catches:
            release_signals()
        if self.received is not None and kind is None:
            # The block ended before anything in it checked `received`.
            signal.raise_signal(self.received)


def catch_signals() -> bool:
    """Record `SIGNALS` in the active `StopRequest`s. Returns False outside of the main thread, which cannot do it."""
    if threading.current_thread() is not threading.main_thread():
        return False
    for number in SIGNALS:
        if number not in _previous_handlers and signal.getsignal(number) not in (signal.SIG_IGN, None):
            _previous_handlers[number] = signal.signal(number, _record)
    return True


def release_signals() -> None:
    """Undo `catch_signals`. Does nothing outside of the main thread."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in _previous_handlers.items():
            signal.signal(number, handler)
        _previous_handlers.clear()


def _record(number: int, _frame: FrameType | None) -> None:
    release_signals()
    for request in _requests:
        request.received = signal.Signals(number)
    if not _requests:
        signal.raise_signal(number)


class Checkpointer:
    """Callback of `train` that writes a checkpoint when one is due, at the end, and before a stop.

    A checkpoint is due `checkpoint.minutes` or `checkpoint.steps` after the previous one, whichever comes first.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        plan: Plan,
        stop: Stop,
        group: Group = ALONE,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the interval.

        Args:
            folder: receives the checkpoints.
            plan: the training.
            stop: checked after every step.
            group: all processes of the training, which stop after the same step; the main one writes checkpoints.
            clock: time in seconds.
        """
        self._folder, self._plan, self._stop, self._group, self._clock = folder, plan, stop, group, clock
        self._settings = plan.parameters.checkpoint
        self._last, self._steps = clock(), 0
        self._warned = False

    def __call__(self, state: TrainState, monitor: Monitor) -> None:
        """Called after every step.

        Raises:
            SystemExit: the process received a signal; the status is 143 (SIGTERM), 130 (SIGINT) or 129 (SIGHUP).
            DivergedError: the state is not finite, so that no training could resume from it.
        """
        self._steps += 1
        number = self._group.largest(self._stop.received or 0)
        written = False
        if self._group.is_main and (number or state.step == self._plan.steps or self._due()):
            written = self._write(state, monitor)
        if number:
            self._group.largest(0)  # the others wait until the checkpoint is written
            if self._group.is_main:
                self._log_stop(state, signal.Signals(number), written=written)
            raise SystemExit(EXIT_BY_SIGNAL + number)

    def _log_stop(self, state: TrainState, number: signal.Signals, *, written: bool) -> None:
        outcome = "a checkpoint was written" if written else "no checkpoint of this step could be written"
        advice = "run the same command" + ("" if self._plan.parameters.resume else " with pretrain.resume=true")
        logger.info(
            "stopped by %s after step %s of %s; %s; %s to resume from the last one",
            number.name, f"{state.step:,}", f"{self._plan.steps:,}", outcome, advice,
        )  # fmt: skip

    def _due(self) -> bool:
        steps = self._settings.steps
        is_late = self._clock() - self._last >= 60 * self._settings.minutes
        return is_late or (steps is not None and self._steps >= steps)

    def _write(self, state: TrainState, monitor: Monitor) -> bool:
        """Whether it could be written. A full disk does not stop the training; there may be room for the next one."""
        keep = 1 if state.step == self._plan.steps else self._settings.keep
        with monitor.paused():
            arrays, header = take_snapshot(state, monitor)
            self._check_finite(arrays, state, monitor)
            try:
                self._folder.write(state.step, arrays, header, keep)
            except UserError as error:
                if not self._warned:
                    logger.warning("no checkpoint after step %s, training continues: %s", f"{state.step:,}", error)
                self._warned = True
                return False
            finally:
                self._last, self._steps = self._clock(), 0
        return True

    def _check_finite(self, arrays: Arrays, state: TrainState, monitor: Monitor) -> None:
        """Raises DivergedError if the loss since the last row or an array is not finite."""
        loss = float(monitor.pending()[0][0])
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss}", state, self._plan)
        try:
            check_finite(arrays, "the training's", "")
        except NotFiniteError as error:
            raise DivergedError(error.found, state, self._plan) from None
