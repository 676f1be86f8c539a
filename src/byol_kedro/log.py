"""Loggers, a limit on how often progress is logged, durations in words, and a short repr of large objects."""

import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any, cast

LINE_SECONDS = 20.0  # between two progress lines, if the output is not a terminal
UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0), ("second", 1.0))
SHOWN = 3  # items of a collection
WIDTH = 60  # characters of one value


def get_logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger that disables markup in Kedro's rich handler.

    With markup, `[rank0]` is not printed and a path in brackets raises an error.
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


def counted(number: float, one: str, several: str | None = None) -> str:
    """Return a number with its noun, `1 epoch`, `12.4 epochs` or `1,200 epochs`; `several` is an irregular plural."""
    return f"{rounded(number, ',')} {one if number == 1 else several or f'{one}s'}"


def rounded(number: float, grouping: str = "") -> str:
    """Return a whole number as it is, else one decimal, below 1 two digits: `80`, `12.4`, `0.26`.

    With a comma as `grouping`, thousands are separated.
    """
    if number % 1 == 0:
        return f"{int(number):{grouping}}"
    return f"{number:{grouping}.1f}" if number >= 1 else f"{number:.2g}"


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit that fits twice: `9 days`, `90 minutes`, `1 second`."""
    unit, length = next(((u, n) for u, n in UNITS if seconds >= 2 * n), UNITS[-1])
    count = round(seconds / length)
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


class Brief:
    """Mixin with a short `__repr__`, for dataclasses with `repr=False`."""

    def __repr__(self) -> str:
        """Return the class name with short reprs of the fields."""
        fields = dataclasses.fields(cast("Any", self))
        values = (f"{field.name}={brief(getattr(self, field.name))}" for field in fields)
        return f"{type(self).__name__}({', '.join(values)})"


def brief(value: Any) -> str:
    """Return a short repr: dtype and shape of an array, the first items and the length of a collection."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, str) or not isinstance(value, Collection):
        text = " ".join(repr(value).split())
        return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
    shown = ", ".join(map(str if isinstance(value, Mapping) else brief, islice(value, SHOWN)))
    more = f", … ({len(value):,})" if len(value) > SHOWN else ""
    return f"{{{shown}{more}}}" if isinstance(value, Mapping) else f"[{shown}{more}]"
