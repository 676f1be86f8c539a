"""Loggers, a limit on how often progress is logged, durations in words, and a short repr of large objects."""

import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any, cast

LINE_SECONDS = 20.0  # between two lines of progress where there is no terminal
UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0), ("second", 1.0))
SHOWN = 3  # of a list; how many there are is said
WIDTH = 60  # characters of one value


def get_logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """A logger for `name` whose messages Kedro's rich handler does not read as markup.

    Without this, `[rank0]` vanishes from the screen and a path in brackets is an error.
    """
    return logging.LoggerAdapter(logging.getLogger(name), {"markup": False})


class Throttle:
    """Limits progress messages to one every `LINE_SECONDS`, counted from the construction on."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """Start the first interval; `clock` returns seconds and is `time.monotonic` by default."""
        self._clock = clock or time.monotonic
        self._last = self._clock()

    def is_due(self, *, always: bool = False) -> bool:
        """Return whether to log now, and if so, restart the interval; `always` logs before it has passed."""
        now = self._clock()
        due = always or now - self._last >= LINE_SECONDS
        if due:
            self._last = now
        return due


def counted(number: int, one: str, several: str | None = None) -> str:
    """`1 epoch`, `1,200 epochs`; `several` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def in_words(seconds: float) -> str:
    """A length of time in the largest unit that it has two of: `9 days`, `90 minutes`, `1 second`."""
    unit, length = next(((u, n) for u, n in UNITS if seconds >= 2 * n), UNITS[-1])
    count = round(seconds / length)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


class Brief:
    """A base of dataclasses that are made with `repr=False`."""

    def __repr__(self) -> str:
        fields = dataclasses.fields(cast("Any", self))
        told = (f"{field.name}={brief(getattr(self, field.name))}" for field in fields)
        return f"{type(self).__name__}({', '.join(told)})"


def brief(value: Any) -> str:
    """Dtype and shape of an array, the first of a list or the first names of a mapping, and how many; else its repr."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, str) or not isinstance(value, Collection):
        text = " ".join(repr(value).split())
        return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
    shown = ", ".join(map(str if isinstance(value, Mapping) else brief, islice(value, SHOWN)))
    more = f", … ({len(value):,})" if len(value) > SHOWN else ""
    return f"{{{shown}{more}}}" if isinstance(value, Mapping) else f"[{shown}{more}]"
