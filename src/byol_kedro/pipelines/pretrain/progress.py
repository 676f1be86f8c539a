"""Progress of the training on the screen."""

import logging
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from byol_kedro.byol.monitor import Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState
from byol_kedro.evaluation.metrics import percent
from byol_kedro.files.cores import usable_cores
from byol_kedro.log import Throttle, counted, format_duration, get_logger

logger = get_logger(__name__)
ESTIMATE_SECONDS, ESTIMATE_STEPS = 5.0, 10  # whichever comes first
LONG_SECONDS = 3600.0
BAR_WIDTH = 20  # characters
# Top-1 of logistic regression on BYOL's features less that on the untrained network's, by steps of 64 images:
# docs/results.md, "Few images", "Photographs of ten classes" (265) and "Photographs of six scenes" (4,000).
MEASURED = {
    230: "7.7 points lower", 265: "3.8 points lower", 920: "level", 3220: "3.3 points higher",
    4000: "15.3 points higher",
}  # fmt: skip
BEHIND = 265  # the most steps after which BYOL was behind
MEASURED_IMAGES, FEW_IMAGES = 3_000, 1_000  # images: the fewest that were measured; chosen


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
        # Only the text is wrapped in a narrow terminal.
        text = TextColumn("{task.description}", table_column=Column())
        columns = TextColumn("pretraining"), BarColumn(BAR_WIDTH), text
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
        self._show(done, per_step)

    def _update(self, row: Row) -> None:
        self._text = f", loss {row.loss:.3f}"
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
        total, first = self._plan.steps, self._start[1]
        seconds = per_step * (total - first)
        hint = "; --env=sample takes minutes, on built-in photographs" if seconds > LONG_SECONDS else ""
        whole = f"{counted(total, 'step')}, {counted(self._plan.epochs, 'epoch')}"
        work = whole if first == 1 else f"{total - first:,} of {counted(total, 'step')} left"
        logger.info(
            "pretraining will take about %s on this %s (%s)%s", format_duration(seconds), self._device, work, hint
        )

    def _show(self, done: int, per_step: float) -> None:
        steps, epoch = self._plan.steps, done / self._plan.steps_per_epoch
        position = f"step {done:,} of {steps:,} (epoch {epoch:.1f})"
        left = f"{format_duration(per_step * (steps - done))} left" if done < steps else "done"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, description=f"{position}, {left}{self._text}")
        elif self._throttle.is_due(always=done == steps or self._plan.evaluates_after(done)):
            logger.info("%s%s, %s", position, self._text, left)


def log_plan(plan: Plan, size: int) -> None:
    """Log the number of steps and what that many were good for, the sizes and the precision.

    It is a warning if BYOL was behind the untrained network after as many steps. With a few hundred images, another
    line recommends an imported encoder.
    """
    per_step, per_epoch, warmup = (f"{n:,}" for n in (plan.images_per_step, plan.steps_per_epoch, plan.warmup))
    images, steps, epochs = counted(plan.count, "image"), counted(plan.steps, "step"), counted(plan.epochs, "epoch")
    view = plan.parameters.views.size or size
    views = f" (views of {view}×{view})" if view != size else ""
    logger.log(
        logging.WARNING if plan.steps <= BEHIND else logging.INFO,
        "%s of %d×%d%s in steps of %s: %s (%s of %s), %s of them warmup, in %s; %s",
        images, size, size, views, per_step, steps, epochs, per_epoch, warmup, plan.parameters.precision,
        _measured(plan.steps),
    )  # fmt: skip
    if plan.count < FEW_IMAGES:
        logger.info(
            "%s are few for a training from scratch, which was measured with %s and more; downloaded weights need "
            "none: --pipelines=import_encoder,evaluate --params encoder_from=resnet18.a1_in1k (docs/import.md)",
            images, f"{MEASURED_IMAGES:,}",
        )  # fmt: skip


def _measured(steps: int) -> str:
    """What the measurements with fewer or as many steps, and with more, were good for."""
    below = [number for number in MEASURED if number <= steps][-1:]
    above = [number for number in MEASURED if number > steps][:1]
    known = " and ".join(f"{MEASURED[number]} after {number:,} steps" for number in below + above)
    advice = "; train longer (pretrain.steps)" if steps <= BEHIND else ""
    return f"compared with the untrained network, top-1 of photographs was {known} (docs/results.md){advice}"


def log_busy_machine(threads: int) -> None:
    """Log advice if other programs compete for the cores with a training of that many threads on the CPU."""
    if threads == 1 or not hasattr(os, "getloadavg"):
        return
    load, cores = os.getloadavg()[0], usable_cores()
    # The threads meet after each operation and wait for the one that another program keeps from running.
    if load > cores:
        logger.info(
            "other programs use this machine (load %.1f on %s): this training has %d threads, which then wait for "
            "each other; with OMP_NUM_THREADS=1 it may be faster",
            load, counted(cores, "core"), threads,
        )  # fmt: skip


def log_skipped_steps(state: TrainState) -> None:
    """Log the number of skipped steps, if there are any."""
    if state.skipped:
        logger.info(
            "%s of %s changed no weight: a gradient overflowed in float16 and the scale of the loss was halved",
            f"{state.skipped:,}", counted(state.step, "step"),
        )  # fmt: skip
