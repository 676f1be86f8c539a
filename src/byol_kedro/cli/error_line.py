"""A mistake that the user can mend is one line on the screen; a fault of the program keeps its traceback."""

import io
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from byol_kedro.errors import StoppedError
from byol_kedro.runs.user_errors import as_user_error

LINE_ENDS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
INTERRUPTED = 130  # what a shell reports of a process that Ctrl-C ended


@contextmanager
def one_line() -> Iterator[None]:
    """Print what the user can mend of what goes wrong in the block, and exit with 1; after Ctrl-C with 130.

    Characters that the terminal does not have are printed as escapes from then on.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except SystemExit:  # a training that was told to stop
        _end_at_once()
        raise
    except (Exception, KeyboardInterrupt) as error:
        mendable = as_user_error(error)
        if mendable is None:
            raise
        if isinstance(mendable, StoppedError):
            _end_at_once()
            click.echo(f"\n{mendable}", err=True)  # a terminal has written ^C into the line
            raise click.exceptions.Exit(INTERRUPTED) from None
        line = LINE_ENDS.sub(lambda end: repr(end.group())[1:-1], str(mendable))
        raise click.ClickException(line) from None


def _end_at_once() -> None:
    """Let a further Ctrl-C end the process, which is ending anyway: Kedro and Python would print where it was."""
    ours = threading.current_thread() is threading.main_thread() and not hasattr(sys, "ps1")
    if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
