"""A training that is told to stop finishes its step first."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

# Of kill and of a scheduler, of Ctrl-C, of a terminal or a connection that is closed.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """While its block runs in the main thread, the first of `SIGNALS` is only written down in `received`.

    A second one acts as it would without this class: nobody has to wait for a long step. What the process was started
    to ignore, as nohup and a shell's background do, is ignored here, too.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python lets only the main thread have handlers; in another one a signal acts as it always did.
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
            self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back()
        if self.received is not None and kind is None:
            # It came too late for anybody in the block to look at it.
            signal.raise_signal(self.received)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
