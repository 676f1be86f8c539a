"""The last screen of a run: what it has saved, and where."""

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

# Of each table what a terminal of 80 characters has room for.
COLUMNS = ("features", "classifier", "epochs", "top-1")
QUALITY = ("features", "effective rank", "uniformity", "alignment")
PAIRS = ("model", "L1")
AGREEMENT = {"NMI": "nmi", "ARI": "ari", "purity": "purity"}
WORDS = frozenset({"features", "classifier", "model"})  # columns that stand to the left
FEW = "With few images or epochs: docs/recipes.md, Few images."
# What a run without results ends with, of each pipeline what it is for.
MADE = {
    "data_summary": "Summary of the images",
    "encoder": "Encoder",
    "latents_train": "Features",
    "baseline_metrics": "Top-1 of the baselines",
    "probe_metrics": "Top-1 of the probes",
    "pair_model": "Pair model",
    "pair_embeddings": "Latent vectors",
    "cluster_sheet": "Clusters",
    "pair_embedding_map": "Map",
    "predicted_images": "Predictions",
}
Catalog = CatalogProtocol[Any, Any]


def show_end(catalog: Catalog, predict: str) -> None:
    """Print what the run that has just ended has saved, and where: its results, or what it was for.

    `predict` is the command that answers for a folder of images.
    """
    saved = [name for name in sorted(catalog.keys()) if name != MANIFEST and written(name, catalog)]
    if "results" in saved:
        show_results(catalog, predict)
        saved = [name for name in saved if name == "predicted_images"]
    elif "pair_metrics" in saved:
        show_latents(catalog.load("pair_metrics"))
    for name in [name for name in MADE if name in saved] or saved:
        show_path(MADE.get(name, name), name, catalog)


def show_latents(metrics: Mapping[str, Any]) -> None:
    """Print how near the pair model comes to its target, and what its clusters have to do with the classes."""
    console = Console()
    for table in _pairs_screen(metrics["rows"]):
        console.print(table)
    found = metrics["clusters"]
    words = f"{counted(found['k'], 'cluster')} ({found['method']})"
    if found["n"]:
        scores = ", ".join(f"{name} {three_decimals(found[key])}" for name, key in AGREEMENT.items())
        words += f"; with the classes of {counted(found['n'], 'test image')}: {scores}"
    console.print(words, markup=False, highlight=False, soft_wrap=True)


def show_results(catalog: Catalog, predict: str) -> None:
    """Print the measured results of the run that has just ended, its encoder and the path of its report.

    `predict` is the command that answers for a folder of images.
    """
    console = Console()
    results = catalog.load("results")
    if not measured(results).empty:
        console.print(results_screen(results))
        if written("comparisons", catalog):
            lines = verdict(results, catalog.load("comparisons"))
            console.print(*lines, *([FEW] if behind(results) else []), markup=False, highlight=False, soft_wrap=True)
    else:
        why = why_unmeasured(catalog.load("data_summary")["splits"])
        console.print(f"No top-1: {why}.", markup=False, highlight=False)
        # The report has seen to it that all of this is of one encoder and of the same images.
        if written("report", catalog):
            for table in unlabeled_screen(catalog.load("quality_metrics"), catalog.load("pair_metrics")):
                console.print(table)
    manifest = catalog.load(MANIFEST)
    encoder = manifest["reads"].get("encoder", {"version": manifest["run_id"]})["version"]
    console.print(f"Encoder: {encoder}", markup=False, highlight=False)
    for title, name in (("All columns, published rows", "results_table"), ("Report", "report")):
        show_path(title, name, catalog)
    console.print(
        f"Features and more of each file of a folder: {predict}", markup=False, highlight=False, soft_wrap=True
    )


def show_path(title: str, name: str, catalog: Catalog) -> None:
    """Print where the version of an entry lies that the run has just written, if it has."""
    path = written(name, catalog)
    if path:
        Console().print(f"{title}: {path}", markup=False, highlight=False, soft_wrap=True)


def results_screen(results: pd.DataFrame) -> Table:
    """The measured rows of `results`, in the columns that fit a terminal."""
    groups = (cells(rows) for _, rows in measured(results).groupby("features", sort=False))
    return _table("Top-1 on the test images (95 % interval)", COLUMNS, groups)


def unlabeled_screen(quality: Mapping[str, Any], pair_metrics: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What `quality_metrics` and `pair_metrics` measure without labels; nothing of what had too few images."""
    if quality["rows"]:
        note = "Collapsed features have 1, 0 and 0."
        yield _table("Features of the test images", QUALITY, [quality_cells(quality["rows"])], note)
    yield from _pairs_screen(pair_metrics["rows"])


def written(name: str, catalog: Catalog) -> Path | None:
    """The file of an entry that the run which has just ended has saved; None where it saved none."""
    for dataset in versioned([name], catalog).values():
        path = path_of_version(dataset, str(dataset.resolve_save_version()))
        return path if path.exists() else None
    return None


def _pairs_screen(rows: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """A table of `pair_metrics`' rows, where there are test pairs."""
    pairs = [{"model": row["model"], "L1": with_interval(row, "l1")} for row in rows if row["n"]]
    if pairs:
        unit = "In units of the mean training target."
        yield _table("L1 on the test pairs (95 % interval)", PAIRS, [pairs], unit)


def _table(
    title: str, columns: Sequence[str], groups: Iterable[Sequence[Mapping[str, str]]], caption: str | None = None
) -> Table:
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in WORDS else "right")
    for rows in groups:
        for row in rows:
            table.add_row(*(row[column] for column in columns))
        table.add_section()
    return table
