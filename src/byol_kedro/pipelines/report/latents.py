"""The report's sections on the latent vectors: their clusters and map, and how good the pair model is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from byol_kedro.datasets.images import Images

from . import markup
from .table import with_interval
from .thumbnails import thumbnails_on_hover

MAP = "latent-map"
SCORES = {"l1": "L1", "spearman": "Spearman", "r2": "R²", "l1_behind": "L1 behind the pair model"}
NO_PAIRS = "No score: there is no pair of test pictures, which takes two of them at least."
CLUSTERS = {
    "k": "clusters",
    "nmi": "NMI with the classes",
    "ari": "ARI with the classes",
    "purity": "purity",
    "n": "test pictures with a class",
}
SHEET = "A row for each cluster that has test pictures: those nearest to its centre"


def clusters(
    metrics: Mapping[str, Any], vectors: pd.DataFrame, map_: go.Figure, sheet: np.ndarray, images_test: Images
) -> str:
    """`sheet` is (H, W, 3) uint8; the map's points are test pictures by name. Empty without a cluster."""
    if vectors.empty:
        return ""
    scores = {CLUSTERS.get(name, name): value for name, value in metrics["clusters"].items() if value is not None}
    return markup.section(
        "Clusters",
        markup.picture(sheet, SHEET) if len(images_test) else "",
        markup.figure(map_, MAP) if map_.data else "",
        thumbnails_on_hover(map_, MAP, images_test),
        markup.definitions(scores),
        markup.details("Size of each cluster", _clusters(vectors, images_test.class_names)),
    )


def pairs(metrics: Mapping[str, Any]) -> str:
    """How good the pair model is; empty where there is none."""
    if not metrics["rows"]:
        return ""
    rows = [[row["model"], *(_score(row, name) for name in SCORES)] for row in metrics["rows"]]
    return markup.section(
        "Latent vectors",
        markup.paragraph(
            "A small network over pairs of pictures gives each picture a short vector; the distance of two vectors is "
            "fitted to the pair's target. Measured on pairs of test pictures, with 95 % bootstrap intervals over the "
            "pairs, beside references that need no network."
        ),
        markup.table(["model", *SCORES.values()], rows, SCORES.values())
        if metrics["pairs"]["test"]
        else markup.paragraph(NO_PAIRS),
        markup.details("Pairs and units", markup.definitions(metrics["pairs"])),
    )


def _score(row: Mapping[str, Any], name: str) -> str:
    """Empty where it is the row's own by definition."""
    return "" if name == "l1_behind" and row["model"] == "pair model" else with_interval(row, name)


def _clusters(vectors: pd.DataFrame, class_names: list[str]) -> str:
    """A row for each cluster: its pictures, and the class that most of its labelled ones have."""
    rows = []
    for cluster, members in vectors.groupby("cluster"):
        labels = members.loc[members["label"] >= 0, "label"]
        common = labels.value_counts()
        name = f"{class_names[int(common.index[0])]} ({common.iloc[0] / len(labels):.0%})" if len(common) else "–"
        rows.append(("none" if cluster == -1 else cluster, len(members), name))
    return markup.table(("cluster", "pictures", "most frequent class"), rows, {"pictures"})
