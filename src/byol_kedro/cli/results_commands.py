"""`kedro results`: list runs, compare two and remove old ones.

Imports are inside the commands, because `kedro run` and `kedro results --help` do not need them.
"""
# ruff: noqa: PLC0415

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.cli.options import session_options

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "json", "csv", "markdown")
WIDTH = 100  # if the output is not a terminal


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the list to a command."""
    limit = click.option("--limit", type=click.IntRange(min=1), help="Only the newest N runs.")
    form = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
    return form(limit(command))


@click.group(invoke_without_command=True)
@session_options
@selection
@click.pass_context
def results(context: click.Context, session_options: dict[str, Any], form: str, limit: int | None) -> None:
    """List the runs of an environment, newest first; compare two; remove old ones.

    A run without top-1 shows its state instead: "no top-1" without labels to learn or to test on, "predictions of
    FOLDER", "only PIPELINES", or "no results", "no predictions" or "no encoder" if it failed, is still running or was
    pruned.
    """
    if context.invoked_subcommand is None:
        print_runs(session_options, form, limit)


@results.command("list")
@session_options
@selection
def list_(session_options: dict[str, Any], form: str, limit: int | None) -> None:
    """List the runs of an environment, newest first; the default of `kedro results`."""
    print_runs(session_options, form, limit)


def print_runs(session_options: dict[str, Any], form: str, limit: int | None) -> None:
    """Print the list of runs."""
    with print_user_errors():
        with quiet():
            from byol_kedro.runs import listing
            from byol_kedro.runs.history import list_runs, open_catalog

            catalog = open_catalog(session_options)
            records = listing.records(list_runs(catalog)[:limit], catalog)
        if form == "table":
            console().print(listing.as_table(records), markup=False, highlight=False)
        else:
            texts = {"json": listing.as_json, "csv": listing.as_csv, "markdown": listing.as_markdown}
            click.echo(texts[form](records))


@results.command()
@click.argument("run_a", metavar="RUN")
@click.argument("run_b", metavar="RUN")
@session_options
def diff(run_a: str, run_b: str, session_options: dict[str, Any]) -> None:
    """Compare two runs: parameters and results that differ.

    RUN is a run_id, the beginning of one, or latest or previous (of the complete runs).

    Results are compared with McNemar's test if both runs predicted the same test images, else with a z-test of two
    proportions. p-values are Holm-adjusted over the tested rows.
    """
    with print_user_errors():
        with quiet():
            from byol_kedro.runs.compare import compare_rows, differences, different_test_images, format_diff
            from byol_kedro.runs.history import find_run, list_runs, open_catalog

            catalog = open_catalog(session_options)
            runs = list_runs(catalog)
            a, b = find_run(run_a, runs), find_run(run_b, runs)
            parts = format_diff(
                a,
                b,
                differences(a, b, catalog),
                compare_rows(a, b, catalog),
                others=different_test_images(a, b, catalog),
            )
        for part in parts:
            console().print(part, markup=False, highlight=False)


@results.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, help="Number of complete runs to keep.")
@click.option("--dry-run", is_flag=True, help="Only print what would be removed.")
@session_options
def prune(keep: int, dry_run: bool, session_options: dict[str, Any]) -> None:
    """Remove the artifacts of old runs.

    Kept are the newest N complete runs (those with results), all other runs since the oldest of them, and every
    version that these runs read. Everything older is removed, including predictions. Do not prune during a run: its
    artifacts may be removed.
    """
    with print_user_errors():
        with quiet():
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.prune import freed_bytes, plan, remove, remove_leftovers, summary_lines

            catalog = open_catalog(session_options)
            planned = plan(catalog, keep)
            freed = freed_bytes(planned.folders)
            if not dry_run:
                remove(planned.removals)
                remove_leftovers(catalog)
        click.echo("\n".join(summary_lines(planned, freed, dry=dry_run)))


@contextmanager
def quiet() -> Iterator[None]:
    """Redirect stdout to stderr in the block: Kedro logs to stdout, which must contain only the answer."""
    with redirect_stdout(sys.stderr):
        yield


def console() -> "Console":
    """Return a console as wide as the terminal, or of fixed width for a file or a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH)
