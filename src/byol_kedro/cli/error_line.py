"""Report user errors on one line; other errors keep their traceback."""

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
INTERRUPTED = 130  # exit code of a process that was ended by Ctrl-C


@contextmanager
def print_user_errors() -> Iterator[None]:
    """Print a user error that is raised in the block and exit with 1, after Ctrl-C with 130.

    From then on, characters that the terminal cannot encode are printed as escapes.

    Raises:
        click.ClickException: the user error; click prints it.
        click.exceptions.Exit: after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except SystemExit:  # a training that received a signal
        _exit_on_ctrl_c()
        raise
    except (Exception, KeyboardInterrupt) as error:
        user_error = as_user_error(error)
        if user_error is None:
            raise
        if isinstance(user_error, StoppedError):
            _exit_on_ctrl_c()
            click.echo(f"\n{user_error}", err=True)  # terminals echo ^C into the line
            raise click.exceptions.Exit(INTERRUPTED) from None
        line = LINE_ENDS.sub(lambda end: repr(end.group())[1:-1], str(user_error))
        raise click.ClickException(line) from None


def _exit_on_ctrl_c() -> None:
    """Let another Ctrl-C end the process silently, instead of with a traceback of Kedro's shutdown."""
    scripted_main = threading.current_thread() is threading.main_thread() and not hasattr(sys, "ps1")
    if scripted_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
