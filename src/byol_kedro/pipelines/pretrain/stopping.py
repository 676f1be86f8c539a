"""A training that is told to stop finishes its step first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

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
