"""A mistake that the user can mend is one line on the screen; a fault of the program keeps its traceback."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from kedro.config import MissingConfigException
from kedro.io import DatasetNotFoundError
from kedro.io.core import VersionNotFoundError

from byol_kedro.datasets.integrity import DamagedError
from byol_kedro.errors import StoppedError, UserError
from byol_kedro.pipeline_registry import PARTS, build_pipelines

# How Kedro begins when --nodes, --from-nodes, --to-outputs and the like name what is not there.
UNKNOWN_NAMES = ("Pipeline does not contain", "Pipeline contains no nodes")
INTERRUPTED = 130  # what a shell reports of a process that Ctrl-C ended
NO_FOLDER = "is not a valid directory: "  # what Kedro says before the path of an environment that is not there


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def as_user_error(error: BaseException) -> UserError | None:
    """What the user can mend in `error`, or has asked for by Ctrl-C, if that is what it is."""
    for cause in causes(error):
        if isinstance(cause, UserError):
            return _with_writer(cause) if isinstance(cause, DamagedError) else cause
        if isinstance(cause, KeyboardInterrupt):
            return StoppedError()
        if isinstance(cause, PermissionError) and cause.filename:
            return UserError(f"{cause.filename}: {cause.strerror}; mend its mode or its owner, or name another place")
        if isinstance(cause, MissingConfigException):
            return UserError(_missing_config(str(cause)))
        named_wrong = isinstance(cause, ValueError) and str(cause).startswith(UNKNOWN_NAMES)
        if named_wrong or isinstance(cause, VersionNotFoundError | DatasetNotFoundError):
            return UserError(" ".join(str(cause).split()))
    return None


@contextmanager
def one_line() -> Iterator[None]:
    """Print what the user can mend of what goes wrong in the block, and exit with 1; after Ctrl-C with 130."""
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
        raise click.ClickException(str(mendable)) from None


def _end_at_once() -> None:
    """Let a further Ctrl-C end the process, which is ending anyway: Kedro and Python would print where it was."""
    ours = threading.current_thread() is threading.main_thread() and not hasattr(sys, "ps1")
    if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _missing_config(text: str) -> str:
    """With the environments that there are, where it is one that is missing; else Kedro's own sentence."""
    folder = Path(text.partition(NO_FOLDER)[2])
    if not folder.name or folder.name == "base" or not folder.parent.is_dir():
        return " ".join(text.split())
    known = sorted(path.name for path in folder.parent.iterdir() if path.is_dir() and path.name != "base")
    return f"--env {folder.name}: there is no environment conf/{folder.name}; expected one of {', '.join(known)}"


def _with_writer(error: DamagedError) -> UserError:
    """With the pipeline that is to be run again, where one writes the artifact."""
    pipelines = build_pipelines([*PARTS, "predict"])
    writers = (name for name, pipeline in pipelines.items() if error.entry in pipeline.all_outputs())
    writer = next(writers, None)
    return UserError(error.told(f"the pipeline {writer}")) if writer else error
