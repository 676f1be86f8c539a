"""Progress of the training on the screen."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn

from byol_kedro.byol.monitor import Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.evaluation.metrics import percent
from byol_kedro.log import Throttle, counted, format_duration, get_logger

logger = get_logger(__name__)
ESTIMATE_SECONDS, ESTIMATE_STEPS = 5.0, 10  # whichever comes first
LONG_SECONDS = 3600.0


class ProgressReport:
    """Callback of `train`: a progress bar on a terminal, otherwise log lines; a time estimate; a collapse warning.

    Args:
        plan: the training.
        device: name of the device in the estimate, for example `CPU`.
        terminal: whether to show a bar; by default whether stdout is a terminal.
        clock: time in seconds.
    """

    def __init__(
        self,
        plan: Plan,
        device: str,
        *,
        terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create the report; nothing is shown before the first step."""
        self._plan, self._device, self._clock = plan, device, clock
        # rich writes the bar to the console of Kedro's log handler, so that log lines do not cut it.
        columns = TextColumn("pretraining"), BarColumn(), TextColumn("{task.description}")
        on_terminal = sys.stdout.isatty() if terminal is None else terminal
        self._bar = Progress(*columns) if on_terminal else None
        self._text, self._estimated, self._warned = "", False, False
        self._start: tuple[float, int] | None = None
        self._throttle = Throttle(clock)

    def __enter__(self) -> Self:
        """Show the bar, if there is one."""
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task("", total=self._plan.steps)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the bar."""
        if self._bar is not None:
            with suppress(OSError):  # the terminal may be closed
                self._bar.stop()

    def __call__(self, done: int, row: Row | None) -> None:
        """Called after every step with the number of steps done and, if the metrics were read, the new row."""
        now = self._clock()
        if self._start is None:
            # The first step also sets up the device, so time is measured from its end.
            self._start, self._throttle = (now, done), Throttle(self._clock)
        if row is not None:
            self._update(row)
        since, first = self._start
        if done == first and done < self._plan.steps:
            return
        per_step = (now - since) / max(done - first, 1)
        enough = done - first >= ESTIMATE_STEPS or now - since >= ESTIMATE_SECONDS
        if enough and not self._estimated and done < self._plan.steps:
            self._estimated = True
            self._estimate(per_step)
        self._show(done, row, per_step)

    def _update(self, row: Row) -> None:
        self._text = f"epoch {row.epoch:.1f} of {self._plan.parameters.epochs}, loss {row.loss:.3f}"
        if math.isfinite(row.knn_top1):
            self._text += f", kNN top-1 within train {percent(row.knn_top1)}%"
        if row.collapsed(self._plan.parameters.heads.projection_dim) and not self._warned:
            self._warned = True
            logger.warning(
                "the features are collapsing: after step %d the projections of different images are almost equal "
                "(std %.1e); lower pretrain.optimizer.lr or raise pretrain.tau.base",
                row.step,
                row.feature_std,
            )

    def _estimate(self, per_step: float) -> None:
        assert self._start is not None
        seconds = per_step * (self._plan.steps - self._start[1])
        hint = "; --env=sample takes minutes, on built-in photographs" if seconds > LONG_SECONDS else ""
        logger.info("pretraining will take about %s on this %s%s", format_duration(seconds), self._device, hint)

    def _show(self, done: int, row: Row | None, per_step: float) -> None:
        left = f"{format_duration(per_step * (self._plan.steps - done))} left"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, description=f"{self._text}, {left}")
            return
        epoch_ends = row is not None and done % self._plan.steps_per_epoch == 0
        if self._throttle.is_due(always=epoch_ends and bool(self._text)):
            text = self._text or f"step {done} of {self._plan.steps}"
            logger.info("%s, %s", text, left if done < self._plan.steps else "done")


def log_plan(plan: Plan, size: int) -> None:
    """Log the number of steps, the sizes and the precision; warns if the warmup does not end before the training."""
    per_step, steps, warmup = (f"{number:,}" for number in (plan.images_per_step, plan.steps, plan.warmup))
    images, per_epoch = counted(plan.count, "image"), counted(plan.steps_per_epoch, "step")
    view = plan.parameters.views.size or size
    views = f" (views of {view}×{view})" if view != size else ""
    logger.info(
        "%s of %d×%d%s in steps of %s: %s per epoch, %s in total, %s of them warmup, in %s",
        images, size, size, views, per_step, per_epoch, steps, warmup, plan.parameters.precision,
    )  # fmt: skip
    if plan.warmup == plan.steps:
        logger.warning(
            "the whole training is warmup, so that its learning rate never falls; "
            "set pretrain.optimizer.warmup_epochs (%g) well below pretrain.epochs (%d)",
            plan.parameters.optimizer.warmup_epochs,
            plan.parameters.epochs,
        )


def log_skipped_steps(state: TrainState) -> None:
    """Log the number of skipped steps, if there are any."""
    if state.skipped:
        logger.info(
            "%s of %s changed no weight: a gradient overflowed in float16 and the scale of the loss was halved",
            f"{state.skipped:,}", counted(state.step, "step"),
        )  # fmt: skip
