"""The commands `kedro run`, `results`, `export`, `export-features` and `similar`.

Kedro prints more than a hundred lines for a misspelled parameter. Here user errors are reported on one line; other
errors keep their traceback.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.pipeline import Pipeline

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.cli.export_command import export
from byol_kedro.cli.export_features_command import export_features
from byol_kedro.cli.options import add_session_options, read_environment
from byol_kedro.cli.results_commands import results
from byol_kedro.cli.run_options import OPTIONS, repeatable
from byol_kedro.cli.similar_command import similar
from byol_kedro.errors import StoppedError, UserError
from byol_kedro.pipeline_registry import NAMES, build_pipelines
from byol_kedro.runs.runners import check_runner
from byol_kedro.runs.selection import check_selection
from byol_kedro.runs.user_errors import as_user_error
from byol_kedro.suggestions import did_you_mean


@click.group(name="byol_kedro")
def cli() -> None:
    """Commands of this project."""


def requested_pipeline(names: list[str]) -> Pipeline:
    """The sum of the pipelines `names`; without names the default pipeline.

    Kedro reports both errors as "Failed to find the pipeline", after some hundred lines of traceback.

    Raises:
        UserError: there is no such pipeline, or its code cannot be imported.
    """
    for name in names:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES)
            raise UserError(f"--pipelines: there is no pipeline {name!r}; {hint}")
    try:
        return sum(build_pipelines(names or ["__default__"]).values(), Pipeline([]))
    except (ImportError, SyntaxError) as error:
        if isinstance(as_user_error(error), StoppedError):  # C extensions turn Ctrl-C into an ImportError
            raise
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise UserError(
            f"the pipelines cannot be imported: {where}{error}; nothing was run. "
            "Fix the import, or install the missing package (make install)"
        ) from error


def checked_command(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap Kedro's `run`: check its options first and report user errors on one line."""

    @wraps(command)
    def wrapped(**options: Any) -> Any:
        # Kedro prints five lines of deprecation for --pipeline, which is --pipelines with one name.
        if options["pipeline"] and not options["pipelines"]:
            options.update(pipelines=[options["pipeline"]], pipeline=None)
        with print_user_errors():
            options["env"] = read_environment(options["env"])
            check_runner(options["runner"], options["runner_params"])
            check_selection(options, requested_pipeline(options["pipelines"]))
            return command(**options)

    return wrapped


def run_command() -> click.Command:
    """Return Kedro's `run` with some of its options replaced."""
    assert kedro_run.callback is not None
    function = checked_command(kedro_run.callback)
    for option in (*OPTIONS, add_session_options):
        function = option(function)
    command = click.command("run", help=kedro_run.help)(function)
    replaced = {option.name: option for option in command.params}
    command.params = [replaced.get(option.name) or repeatable(option) for option in kedro_run.params]
    return command


run = run_command()
cli.add_command(run)
cli.add_command(results)
cli.add_command(export)
cli.add_command(export_features)
cli.add_command(similar)
