"""The summary at the end of a run: what it has saved, and where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from rich.console import Console, RenderableType
from rich.table import Table

from byol_kedro.log import counted
from byol_kedro.pipelines.report.results import measured, why_unmeasured
from byol_kedro.pipelines.report.table import cells, quality_cells, three_decimals, with_interval
from byol_kedro.pipelines.report.verdict import behind, verdict
from byol_kedro.runs.versions import MANIFEST, path_of_version, versioned

# Columns of each table, to fit into 80 characters.
COLUMNS = ("features", "classifier", "epochs", "top-1")
QUALITY = ("features", "effective rank", "uniformity", "alignment")
PAIRS = ("model", "L1")
AGREEMENT = {"NMI": "nmi", "ARI": "ari", "purity": "purity"}
LEFT = frozenset({"features", "classifier", "model"})  # left-aligned columns
FEW_IMAGES = "With few images or epochs: docs/recipes.md, Few images."
# The main outputs of each pipeline, for a run without results.
MAIN_OUTPUTS = {
    "data_summary": "Summary of the images",
    "encoder": "Encoder",
    "latents_train": "Features",
    "baseline_metrics": "Top-1 of the baselines",
    "probe_metrics": "Top-1 of the probes",
    "pair_model": "Pair model",
    "pair_embeddings": "Embeddings",
    "cluster_sheet": "Clusters",
    "pair_embedding_map": "Map",
    "image_issues": "Image issues",
    "predicted_images": "Predictions",
    "explorer": "Interactive map of the features",
}
Catalog = CatalogProtocol[Any, Any]


def print_summary(catalog: Catalog, predict: str) -> None:
    """Print what the finished run has saved, and where.

    Args:
        catalog: the catalog of the run.
        predict: the command that predicts a folder of images.
    """
    saved = [name for name in sorted(catalog.keys()) if name != MANIFEST and saved_path(name, catalog)]
    if "results" in saved:
        print_results(catalog, predict)
        saved = [name for name in saved if name == "predicted_images"]
    elif "pair_metrics" in saved:
        print_pair_metrics(catalog.load("pair_metrics"))
    for name in [name for name in MAIN_OUTPUTS if name in saved] or saved:
        print_path(MAIN_OUTPUTS.get(name, name), name, catalog)


def print_pair_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the error of the pair model and the agreement of its clusters with the classes."""
    console = Console()
    for table in _pair_tables(metrics["rows"]):
        console.print(table)
    clusters = metrics["clusters"]
    line = f"{counted(clusters['k'], 'cluster')} ({clusters['method']})"
    if clusters["n"]:
        scores = ", ".join(f"{name} {three_decimals(clusters[key])}" for name, key in AGREEMENT.items())
        line += f"; with the classes of {counted(clusters['n'], 'test image')}: {scores}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_results(catalog: Catalog, predict: str) -> None:
    """Print the measured results of the finished run, its encoder and the path of its report.

    Args:
        catalog: the catalog of the run.
        predict: the command that predicts a folder of images.
    """
    console = Console()
    results = catalog.load("results")
    if not measured(results).empty:
        console.print(top1_table(results))
        if saved_path("comparisons", catalog):
            lines = verdict(results, catalog.load("comparisons"))
            console.print(
                *lines, *([FEW_IMAGES] if behind(results) else []), markup=False, highlight=False, soft_wrap=True
            )
    else:
        reason = why_unmeasured(catalog.load("data_summary")["splits"])
        console.print(f"No top-1: {reason}.", markup=False, highlight=False)
        # The report has checked that these metrics belong to one encoder and the same images.
        if saved_path("report", catalog):
            for table in unlabeled_tables(catalog.load("quality_metrics"), catalog.load("pair_metrics")):
                console.print(table)
    manifest = catalog.load(MANIFEST)
    encoder = manifest["reads"].get("encoder", {"version": manifest["run_id"]})["version"]
    console.print(f"Encoder: {encoder}", markup=False, highlight=False)
    for title, name in (("All columns, published rows", "results_table"), ("Report", "report")):
        print_path(title, name, catalog)
    console.print(f"To predict a folder of images: {predict}", markup=False, highlight=False, soft_wrap=True)


def print_path(title: str, name: str, catalog: Catalog) -> None:
    """Print the path of an entry, if the run has saved it."""
    path = saved_path(name, catalog)
    if path:
        Console().print(f"{title}: {path}", markup=False, highlight=False, soft_wrap=True)


def top1_table(results: pd.DataFrame) -> Table:
    """Return the measured rows of `results` as a table that fits a terminal."""
    groups = (cells(rows) for _, rows in measured(results).groupby("features", sort=False))
    return _table("Top-1 on the test images (95 % interval)", COLUMNS, groups)


def unlabeled_tables(quality: Mapping[str, Any], pair_metrics: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Yield tables of the metrics that need no labels; none for those that had too few images."""
    if quality["rows"]:
        note = "Collapsed features have 1, 0 and 0."
        yield _table("Features of the test images", QUALITY, [quality_cells(quality["rows"])], note)
    yield from _pair_tables(pair_metrics["rows"])


def saved_path(name: str, catalog: Catalog) -> Path | None:
    """Return the file that the run has saved for an entry; None if it saved none."""
    for dataset in versioned([name], catalog).values():
        path = path_of_version(dataset, str(dataset.resolve_save_version()))
        return path if path.exists() else None
    return None


def _pair_tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Yield a table of the rows of `pair_metrics`, if there are test pairs."""
    pairs = [{"model": row["model"], "L1": with_interval(row, "l1")} for row in rows if row["n"]]
    if pairs:
        unit = "In units of the mean training target."
        yield _table("L1 on the test pairs (95 % interval)", PAIRS, [pairs], unit)


def _table(
    title: str, columns: Sequence[str], groups: Iterable[Sequence[Mapping[str, str]]], caption: str | None = None
) -> Table:
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in LEFT else "right")
    for rows in groups:
        for row in rows:
            table.add_row(*(row[column] for column in columns))
        table.add_section()
    return table
