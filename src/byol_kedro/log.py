"""Loggers whose messages are printed as they are."""

import logging


def get_logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """A logger for `name` whose messages Kedro's rich handler does not read as markup.

    Without this, `[rank0]` vanishes from the screen and a path in brackets is an error.
    """
    return logging.LoggerAdapter(logging.getLogger(name), {"markup": False})
