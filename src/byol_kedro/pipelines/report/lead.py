"""The first screen: of what, how good, and is it better than what it has to beat."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import percent
from byol_kedro.log import counted
from byol_kedro.pipelines.report import markup
from byol_kedro.pipelines.report.results import measured
from byol_kedro.pipelines.report.verdict import PROTOCOL, headline, summary, without_labels

SPLITS = {"unlabeled": "unlabeled", "train": "train", "test": "test"}


def facts(header: Mapping[str, str], data: Mapping[str, Any], steps: int | None) -> str:
    """The images at hand and the training, in one line; `steps` where they are known."""
    splits = data["splits"]
    counts = ", ".join(f"{splits[name]['count']:,} {said}" for name, said in SPLITS.items() if splits[name]["count"])
    classes = len(splits["train"]["classes"])
    labels = counted(classes, "class", "classes") if classes else "no labels"
    length = counted(int(header["epochs"]), "epoch")
    length += "" if steps is None else f", {counted(steps, 'step')} of {counted(int(header['batch_size']), 'image')}"
    images = f"{data['source']}: {counts} images of {splits['test']['height']} px, {labels}"
    return markup.paragraph(f"{images} · recipe {header['recipe']}: {length}", "facts-line")


def labeled(results: pd.DataFrame, chance: float | None, comparisons: pd.DataFrame, steps: int | None) -> str:
    """The verdict, then the numbers that it rests on. `chance` is a fraction."""
    own = measured(results)
    cells = [
        (row["features"], f"{percent(row['top1'])} %", f"{percent(row['ci_low'])}–{percent(row['ci_high'])}")
        for row in own[own["protocol"] == PROTOCOL].to_dict("records")
    ]
    if chance is not None:
        cells.append(("chance", f"{percent(chance)} %", "the most frequent class of train"))
    note = (
        "Top-1 of logistic regression on test images, with its 95 % interval. Luck is ruled out where McNemar's test "
        "on the same images does so at 5 %, adjusted after Holm over the comparisons of these sentences alone "
        f"({len(headline(results))}), which were fixed before any test image was seen. The table of all pairs of "
        f"classifiers is adjusted over all of them ({len(comparisons):,})."
    )
    return _lead(summary(results, comparisons, steps)) + _tiles(cells) + markup.paragraph(note, "note")


def unlabeled(images: int, clusters: int, quality: Sequence[Mapping[str, Any]], why: str) -> str:
    """What there is where no classifier was measured, and `why`. `quality` are the rows of quality_metrics."""
    return _lead(without_labels(images, clusters, quality, why))


def _lead(sentences: Iterable[str]) -> str:
    return markup.paragraph(" ".join(sentences), "lead")


def _tiles(cells: Iterable[tuple[str, str, str]]) -> str:
    """Name, number and what goes with it, side by side."""
    tiles = "".join(
        f"<div><small>{markup.text(name)}</small><b>{markup.text(number)}</b><small>{markup.text(more)}</small></div>"
        for name, number, more in cells
    )
    return f'<div class="tiles">{tiles}</div>'
