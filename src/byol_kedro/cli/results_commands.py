"""`kedro results`: the runs of an environment, what differs between two, and room for new ones.

What the commands call is imported where it is called: `kedro run` and `kedro results --help` need none of it.
"""
# ruff: noqa: PLC0415

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from byol_kedro.cli.error_line import one_line
from byol_kedro.cli.options import place

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "json", "csv", "markdown")
WIDTH = 100  # where the output is no terminal


def selection(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the list."""
    limit = click.option("--limit", type=click.IntRange(min=1), help="Only the newest N runs.")
    form = click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
    return form(limit(command))


@click.group(invoke_without_command=True)
@place
@selection
@click.pass_context
def results(context: click.Context, place: dict[str, Any], form: str, limit: int | None) -> None:
    """List the runs of an environment, newest first; or compare two, or remove old ones.

    A run without results of its own says what there is instead: no top-1 where there was nothing to learn or to test
    on, predictions of a folder, only some pipelines, or no results, predictions or encoder, where it died, is going
    on or was pruned.
    """
    if context.invoked_subcommand is None:
        print_runs(place, form, limit)


@results.command("list")
@place
@selection
def list_(place: dict[str, Any], form: str, limit: int | None) -> None:
    """List the runs of an environment, newest first, as `kedro results` alone does."""
    print_runs(place, form, limit)


def print_runs(place: dict[str, Any], form: str, limit: int | None) -> None:
    """Print the list; with one line where there is none."""
    with one_line():
        with quiet():
            from byol_kedro.runs import listing
            from byol_kedro.runs.history import list_runs, open_catalog

            catalog = open_catalog(place)
            records = listing.records(list_runs(catalog)[:limit], catalog)
        if form == "table":
            screen().print(listing.as_table(records), markup=False, highlight=False)
        else:
            texts = {"json": listing.as_json, "csv": listing.as_csv, "markdown": listing.as_markdown}
            click.echo(texts[form](records))


@results.command()
@click.argument("run_a", metavar="RUN")
@click.argument("run_b", metavar="RUN")
@place
def diff(run_a: str, run_b: str, place: dict[str, Any]) -> None:
    """Which parameters and rows differ between two runs, and whether by more than noise.

    RUN is a run_id, the beginning of one, or latest or previous (of the complete runs).

    Rows are tested with McNemar's test where both runs named the same test images, else with a z-test of two
    proportions. The p-values are Holm-adjusted over the rows that were tested.
    """
    with one_line():
        with quiet():
            from byol_kedro.runs.compare import compare_rows, diff_screen, differences, other_images
            from byol_kedro.runs.history import find_run, list_runs, open_catalog

            catalog = open_catalog(place)
            runs = list_runs(catalog)
            a, b = find_run(run_a, runs), find_run(run_b, runs)
            parts = diff_screen(
                a, b, differences(a, b, catalog), compare_rows(a, b, catalog), others=other_images(a, b, catalog)
            )
        for part in parts:
            screen().print(part, markup=False, highlight=False)


@results.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many complete runs stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@place
def prune(keep: int, dry_run: bool, place: dict[str, Any]) -> None:
    """Remove what all but the newest runs have saved.

    Stays: the newest N complete runs, which have results, with or without labels; all others since the oldest of
    these; and every version that one of them read. What is older goes, predictions too, and a run that is going on:
    do not prune while there is one.
    """
    with one_line():
        with quiet():
            from byol_kedro.runs.history import open_catalog
            from byol_kedro.runs.prune import freed_bytes, plan, remove, remove_leftovers, words

            catalog = open_catalog(place)
            planned = plan(catalog, keep)
            freed = freed_bytes(planned.folders)
            if not dry_run:
                remove(planned.removals)
                remove_leftovers(catalog)
        click.echo("\n".join(words(planned, freed, dry=dry_run)))


@contextmanager
def quiet() -> Iterator[None]:
    """Kedro logs to stdout; what is printed there must be the answer alone."""
    with redirect_stdout(sys.stderr):
        yield


def screen() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDTH)
