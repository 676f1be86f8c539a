"""`kedro run` with errors that fit on one line, `kedro results` and `kedro export`.

Kedro prints more than a hundred lines for a misspelt parameter. Here a mistake that the user can mend is one line;
a fault of the program keeps its traceback.
"""

import copy
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from byol_kedro.errors import UserError
from byol_kedro.export.command import export
from byol_kedro.one_line import one_line
from byol_kedro.pipeline_registry import NAMES, build_pipelines
from byol_kedro.results.commands import results
from byol_kedro.runners import check_runner


@click.group(name="byol_kedro")
def cli() -> None:
    """Commands of this project."""


def check_pipelines(names: list[str]) -> None:
    """Refuse a pipeline that is not there, or one whose code cannot be imported.

    Kedro reports both as "Failed to find the pipeline", after some hundred lines of traceback.
    """
    for name in names:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(NAMES)}"
            raise UserError(f"--pipelines: there is no pipeline {name!r}; {hint}")
    try:
        build_pipelines(names or ["__default__"])
    except (ImportError, SyntaxError) as error:
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise UserError(
            f"the pipelines cannot be imported: {where}{error}; nothing was run. "
            "Mend that import, or install the package that it names (make install)"
        ) from error


def one_line_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print a `UserError` as one line and exit with 1."""

    @wraps(command)
    def wrapped(**options: Any) -> Any:
        # Kedro deprecates --pipeline in five lines on every run; it means --pipelines with one name.
        if options["pipeline"] and not options["pipelines"]:
            options.update(pipelines=[options["pipeline"]], pipeline=None)
        with one_line():
            check_pipelines(options["pipelines"])
            check_runner(options["runner"], options["runner_params"], is_async=options["is_async"])
            return command(**options)

    return wrapped


assert kedro_run.callback is not None
run = copy.copy(kedro_run)
run.callback = one_line_errors(kedro_run.callback)
cli.add_command(run)
cli.add_command(results)
cli.add_command(export)
