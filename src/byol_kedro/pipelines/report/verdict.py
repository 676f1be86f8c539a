"""The conclusions of the report in sentences: accuracy, comparison with the baselines, published results."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import one_decimal, percent
from byol_kedro.evaluation.names import BYOL, IMPORTED, OWN, PIXELS, SUPERVISED, UNTRAINED, own_name
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.evaluation.significance import LEVEL, holm, two_proportions, wilson_trials
from byol_kedro.log import counted
from byol_kedro.pipelines.report.results import README, comparable, measured
from byol_kedro.pipelines.report.table import signed

# The protocol of all conclusions. It is fixed before any test image is evaluated, not chosen by test accuracy.
PROTOCOL = "logistic"
PROSE = {
    IMPORTED: "the imported encoder", UNTRAINED: "the untrained network", SUPERVISED: "supervised training from scratch"
}  # fmt: skip


def encoder_name(header: Mapping[str, str]) -> str:
    """Returns the name of an encoder in a sentence, by its header."""
    return PROSE[IMPORTED] if header.get("imported_from") else BYOL


def summary(results: pd.DataFrame, comparisons: pd.DataFrame, steps: int | None) -> list[str]:
    """Returns the sentences of `verdict`, a likely cause of a bad result, and the published results.

    `steps` is the number of training steps, None if unknown.
    """
    advice = [_advice(steps)] if behind(results) else []
    return [*verdict(results, comparisons), *advice, *_beside_published(results)]


def verdict(results: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Returns the accuracy of the encoder with `PROTOCOL` and whether it differs significantly from each baseline.

    The p-values are those of `comparisons` (see `comparison.compare_all`), Holm-adjusted over the comparisons named
    here. These are a family of their own because they are fixed before any test image is evaluated.
    """
    name = _own(results)
    byol, others = _row(measured(results), name), headline(results)
    if byol is None:
        return [f"{name} features were not evaluated with {PROBES[PROTOCOL].label}."]
    p_values = holm([_p_value(byol, row, comparisons) for row in others.values()])
    interval = f"95 % CI {percent(byol['ci_low'])}–{percent(byol['ci_high'])}"
    prose = PROSE.get(name, name)
    accuracy = (
        f"{prose[0].upper()}{prose[1:]} reaches {percent(byol['top1'])} % top-1 ({interval}) with {byol['classifier']}."
    )
    return [accuracy, *_compared(byol, others, p_values)]


def headline(results: pd.DataFrame) -> "dict[str, pd.Series[float]]":
    """Returns the rows that the verdict compares the encoder with, by their name in a sentence."""
    rows = {prose: _row(measured(results), name) for name, prose in _others(measured(results)).items()}
    return {prose: row for prose, row in rows.items() if row is not None}


def behind(results: pd.DataFrame) -> bool:
    """Returns whether BYOL has a lower top-1 than the untrained network; False for an imported encoder."""
    byol, untrained = (_row(measured(results), name) for name in (BYOL, UNTRAINED))
    return byol is not None and untrained is not None and bool(byol["top1"] < untrained["top1"])


def without_labels(images: int, clusters: int, quality: Sequence[Mapping[str, Any]], why: str) -> list[str]:
    """Returns the conclusions of a run in which no classifier was evaluated.

    Args:
        images: Number of images in all splits.
        clusters: Number of clusters, 0 if there are none.
        quality: Rows of `quality_metrics`.
        why: Reason why no classifier was evaluated, as a clause (see `results.why_unmeasured`).
    """
    ranks = {row["features"]: one_decimal(row["effective_rank"]) for row in quality}
    sentences = [f"The data set has {counted(images, 'image')}. No classifier was evaluated: {why}."]
    if clusters:
        sentences.append(f"The embeddings of the pair model form {counted(clusters, 'cluster')}.")
    own = own_name(ranks)
    if {own, UNTRAINED} <= ranks.keys():
        sentences.append(
            f"The effective rank of the features is {ranks[own]} for {PROSE.get(own, own)} and {ranks[UNTRAINED]} for "
            "the untrained network; a higher rank does not imply better features."
        )
    return sentences


def _own(results: pd.DataFrame) -> str:
    return own_name(measured(results)["features"])


def _row(rows: pd.DataFrame, features: str) -> "pd.Series[float] | None":
    found = rows[(rows["features"] == features) & (rows["protocol"] == PROTOCOL)]
    return None if found.empty else found.iloc[0]


def _others(rows: pd.DataFrame) -> dict[str, str]:
    """Returns the features that the encoder is compared with and their names in a sentence, baselines first."""
    others = [name for name in rows["features"].unique() if name not in OWN]
    pixels = [name for name in others if name.startswith(PIXELS)]
    rest = [name for name in others if name not in {*pixels, UNTRAINED}]
    prose = {name: name.split(", ")[-1] + " of the pixels" for name in pixels}
    return prose | {name: PROSE.get(name, name) for name in (UNTRAINED, *rest)}


def _beside_published(results: pd.DataFrame) -> list[str]:
    """Compares the published table with the same classifier here, where the data is the same."""
    shown = comparable(results)
    byol = shown[shown["features"] == BYOL]
    table = byol[byol["reference"] == README].sort_values("epochs")
    if table.empty:
        return []
    published = " and ".join(
        f"{percent(top1)} % after {epochs:.0f}" for top1, epochs in zip(table["top1"], table["epochs"], strict=True)
    )
    same = measured(byol)
    return [
        f"With the classifier of the published table, BYOL reaches {percent(row['top1'])} % after "
        f"{counted(row['epochs'], 'epoch')}; the table reports {published}."
        for _, row in same[same["protocol"] == "linear_adam"].iterrows()
    ]


def _compared(
    byol: "pd.Series[float]", others: "Mapping[str, pd.Series[float]]", p_values: Sequence[float]
) -> list[str]:
    better: list[str] = []
    worse: list[str] = []
    unclear: list[str] = []
    for (name, row), p in zip(others.items(), p_values, strict=True):
        difference = f"{name} ({_points(byol['top1'], row['top1'])} points)"
        if p >= LEVEL:
            unclear.append(difference)
        else:
            (better if byol["top1"] > row["top1"] else worse).append(difference)
    sentences = {
        "It is significantly better than": better,
        "It is significantly worse than": worse,
        "It does not differ significantly from": unclear,
    }
    return [f"{start} {_enumerated(names)}." for start, names in sentences.items() if names]


def _points(top1: float, other: float) -> str:
    """Formats a difference of two fractions in percentage points, with its sign; equal values are 0.0."""
    points = 100 * (top1 - other)
    return signed(points, "+") if float(one_decimal(abs(points))) else "0.0"


def _advice(steps: int | None) -> str:
    length = "" if steps is None else f"; this run took {steps:,}"
    return (
        "A lower top-1 than that of the untrained network usually means too few training steps for a small data set"
        f"{length} (docs/recipes.md, “Few images”)."
    )


def _enumerated(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _p_value(byol: "pd.Series[float]", other: "pd.Series[float]", comparisons: pd.DataFrame) -> float:
    """Returns the unadjusted p-value of McNemar's test, or of two proportions if there are no common test images."""
    pair = {
        "features_a": byol["features"],
        "protocol_a": PROTOCOL,
        "features_b": other["features"],
        "protocol_b": PROTOCOL,
    }
    found = comparisons[(comparisons[list(pair)] == pd.Series(pair)).all(axis=1)]
    if found.empty:
        n, m = (wilson_trials(row["top1"], row["ci_low"], row["ci_high"]) for row in (byol, other))
        return two_proportions(byol["top1"], n, other["top1"], m)
    return float(found["p"].iloc[0])
