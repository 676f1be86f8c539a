"""The last screen of a run: its results, and where the report or the answers lie."""

from typing import Any

import pandas as pd
from kedro.io import AbstractVersionedDataset, CatalogProtocol
from rich.console import Console
from rich.table import Table

from byol_kedro.pipelines.report.results import measured
from byol_kedro.pipelines.report.table import cells
from byol_kedro.versions import path_of_version

COLUMNS = ("features", "classifier", "epochs", "top-1")  # what a terminal of 80 characters has room for


def show_results(catalog: CatalogProtocol[Any, Any]) -> None:
    """Print the measured results of the run that has just ended and the path of its report."""
    console = Console()
    results = catalog.load("results")
    if measured(results).empty:
        console.print(
            "No top-1: there are no labels to learn from or to test on. The report has what can be said without."
        )
    else:
        console.print(results_screen(results))
    for version in results["encoder"].dropna().unique():
        console.print(f"Encoder: {version}", markup=False, highlight=False)
    for title, name in (("All columns, published rows", "results_table"), ("Report", "report")):
        show_path(title, name, catalog)


def show_path(title: str, name: str, catalog: CatalogProtocol[Any, Any]) -> None:
    """Print where the version of an entry lies that the run has just written."""
    dataset = catalog.get(name)
    assert isinstance(dataset, AbstractVersionedDataset)
    path = path_of_version(dataset, str(dataset.resolve_load_version()))
    Console().print(f"{title}: {path}", markup=False, highlight=False, soft_wrap=True)


def results_screen(results: pd.DataFrame) -> Table:
    """The measured rows of `results`, in the columns that fit a terminal."""
    table = Table(title="Top-1 on the test pictures (95 % interval)", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column in {"epochs", "top-1"} else "left")
    for _, rows in measured(results).groupby("features", sort=False):
        for row in cells(rows):
            table.add_row(*(row[column] for column in COLUMNS))
        table.add_section()
    return table
