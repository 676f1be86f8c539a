"""Progress of work that moves bytes: a bar on a terminal, otherwise a log line from time to time."""

import sys
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from byol_kedro.files.atomic import size_text
from byol_kedro.log import Throttle, get_logger

logger = get_logger(__name__)


class ProgressBar:
    """Shows how many bytes of a total are done. Use it as a context manager."""

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        """Create the bar.

        Args:
            title: Text before the bar.
            total: Bytes in total.
            done: Bytes that are already done.
        """
        self._title, self._total = title, total
        self._throttle = Throttle()
        # rich writes the bar to the console of Kedro's log handler, so that log lines do not cut it.
        text, left = TextColumn("{task.description}"), TimeRemainingColumn()
        columns = text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), left
        self._bar = Progress(*columns, disable=not sys.stdout.isatty())
        self._task = self._bar.add_task(title, total=total, completed=done)

    def __enter__(self) -> Self:
        """Start the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bar."""
        self._bar.stop()

    def update(self, done: int) -> None:
        """Show that `done` bytes are done; fewer than before after a restart."""
        self._bar.update(self._task, completed=done)
        if self._bar.disable and self._throttle.is_due():
            logger.info("%s: %s of %s", self._title, size_text(done), size_text(self._total))
