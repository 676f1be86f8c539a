"""Loggers whose messages are printed as they are."""

import logging


def get_logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """A logger for `name` whose messages Kedro's rich handler does not read as markup.

    Without this, `[rank0]` vanishes from the screen and a path in brackets is an error.
    """
    return logging.LoggerAdapter(logging.getLogger(name), {"markup": False})


def counted(number: int, one: str, several: str | None = None) -> str:
    """`1 epoch`, `1,200 epochs`; `several` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
