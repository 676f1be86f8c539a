"""The sections of the report on the pair model and its clusters, without their layout."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.pipelines.report.table import Table, with_interval

SCORES = {"l1": "L1", "spearman": "Spearman", "r2": "R²", "l1_behind": "L1 difference to the pair model"}
CLUSTERS = {
    "k": "clusters",
    "nmi": "NMI with the classes",
    "ari": "ARI with the classes",
    "purity": "purity",
    "n": "labeled test images",
    "in none": "images in no cluster",
}


def clusters(metrics: Mapping[str, Any], embeddings: pd.DataFrame, class_names: Sequence[str]) -> dict[str, Any] | None:
    """Returns agreement of the clusters with the classes and the size of each; None without embeddings."""
    if embeddings.empty:
        return None
    scores = {CLUSTERS.get(name, name): value for name, value in metrics["clusters"].items() if value is not None}
    return {"scores": scores, "sizes": _sizes(embeddings, class_names)}


def pairs(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the scores of the pair model and its baselines; None without a pair model.

    The table is None if there is no pair of test images.
    """
    if not metrics["rows"]:
        return None
    rows = [[row["model"], *(_score(row, name) for name in SCORES)] for row in metrics["rows"]]
    table = Table(["model", *SCORES.values()], rows, [*SCORES.values()])
    return {
        "table": table if metrics["pairs"]["test"] else None,
        "pairs": metrics["pairs"],
        "sentences": _better_baselines(metrics["rows"]),
    }


def _better_baselines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a sentence if baselines have a lower error than the pair model, beyond the interval of the difference."""
    better = [row["model"] for row in rows if row.get("l1_behind_high") is not None and row["l1_behind_high"] < 0]
    if not better:
        return []
    subject = "The baseline" if len(better) == 1 else "The baselines"
    verb = "has a lower error" if len(better) == 1 else "have lower errors"
    return [f"{subject} {' and '.join(better)} {verb} than the pair model on these pairs."]


def _score(row: Mapping[str, Any], name: str) -> str:
    """Formats a score; the difference of the pair model to itself is empty."""
    return "" if name == "l1_behind" and row["model"] == "pair model" else with_interval(row, name)


def _sizes(embeddings: pd.DataFrame, class_names: Sequence[str]) -> Table:
    """Returns the number of images and the most frequent class of the labeled ones, one row per cluster."""
    rows = []
    for cluster, members in embeddings.groupby("cluster"):
        labels = members.loc[members["label"] >= 0, "label"]
        common = labels.value_counts()
        name = f"{class_names[int(common.index[0])]} ({common.iloc[0] / len(labels):.0%})" if len(common) else ""
        rows.append(("none" if cluster == -1 else cluster, len(members), name))
    return Table(("cluster", "images", "most frequent class"), rows, {"images"})
