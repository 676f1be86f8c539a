"""How far something is that moves bytes: a bar on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from byol_kedro.files.atomic import size_text
from byol_kedro.log import get_logger

logger = get_logger(__name__)

LINE_SECONDS = 20.0  # between two lines where there is no terminal


class Meter:
    """Shows bytes done of `total`, of which `done` were there before."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self._title, self._total = title, total
        self._last_line = time.monotonic()
        # rich writes the bar to the console of Kedro's log handler, so that log lines do not cut it.
        text, left = TextColumn("{task.description}"), TimeRemainingColumn()
        columns = text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), left
        self._bar = Progress(*columns, disable=not sys.stdout.isatty())
        self._task = self._bar.add_task(title, total=total, completed=done)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def at(self, done: int) -> None:
        """`done` bytes are done; fewer than before where something began anew."""
        self._bar.update(self._task, completed=done)
        now = time.monotonic()
        if self._bar.disable and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            logger.info("%s: %s of %s", self._title, size_text(done), size_text(self._total))
