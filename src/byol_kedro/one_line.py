"""A mistake that the user can mend is one line on the screen; a fault of the program keeps its traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from kedro.config import MissingConfigException
from kedro.io.core import VersionNotFoundError

from byol_kedro.errors import UserError


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def as_user_error(error: Exception) -> UserError | None:
    """What the user can mend in `error`, if that is what it is."""
    for cause in causes(error):
        if isinstance(cause, UserError):
            return cause
        if isinstance(cause, VersionNotFoundError | MissingConfigException):
            return UserError(" ".join(str(cause).split()))
    return None


@contextmanager
def one_line() -> Iterator[None]:
    """Print what the user can mend of what goes wrong in the block, and exit with 1."""
    try:
        yield
    except Exception as error:
        mendable = as_user_error(error)
        if mendable is None:
            raise
        raise click.ClickException(str(mendable)) from None
