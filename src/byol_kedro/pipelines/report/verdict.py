"""What the numbers mean, in sentences that are made from the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.evaluation.metrics import one_decimal, percent
from byol_kedro.evaluation.names import BYOL, PIXELS, SUPERVISED, UNTRAINED
from byol_kedro.evaluation.significance import LEVEL, holm, two_proportions, wilson_trials
from byol_kedro.log import counted
from byol_kedro.pipelines.report.results import README, comparable, measured

# Comparisons are between equal classifiers, and this one is named before any test image is seen.
PROTOCOL = "logistic"
IN_WORDS = {SUPERVISED: "the same network trained with labels"}


def summary(results: pd.DataFrame, comparisons: pd.DataFrame, steps: int | None) -> list[str]:
    """The verdict, then the usual reason for a bad one, then what is published; `steps`: of the training."""
    advice = [_advice(steps)] if behind(results) else []
    return [*verdict(results, comparisons), *advice, *_beside_published(results)]


def verdict(results: pd.DataFrame, comparisons: pd.DataFrame) -> list[str]:
    """Sentences on the logistic rows: whether BYOL beats the pixels, the untrained network and the references.

    The comparisons of BYOL that are named here, which were fixed before any test image was seen, are a family: their
    p-values, of `comparisons` (see `pairwise.compare_all`), are adjusted for these alone.
    """
    own = measured(results)
    byol, others = _row(own, BYOL), headline(results)
    if byol is None:
        return ["BYOL features were not measured with logistic regression, so nothing can be said of them."]
    p_values = holm([_p_value(byol, row, comparisons) for row in others.values()])
    return _sentences(byol, others, p_values)


def headline(results: pd.DataFrame) -> "dict[str, pd.Series[float]]":
    """The rows that BYOL's logistic row is compared with in the verdict, by what they are called there."""
    rows = {said: _row(measured(results), name) for name, said in _others(measured(results)).items()}
    return {said: row for said, row in rows.items() if row is not None}


def behind(results: pd.DataFrame) -> bool:
    """Whether fewer test images are named right with BYOL's features than with those of the untrained network."""
    byol, untrained = (_row(measured(results), name) for name in (BYOL, UNTRAINED))
    return byol is not None and untrained is not None and bool(byol["top1"] < untrained["top1"])


def without_labels(images: int, clusters: int, quality: Sequence[Mapping[str, Any]], why: str) -> list[str]:
    """Sentences on what there is where no classifier was measured, and `why`. `quality`: rows of quality_metrics."""
    ranks = {row["features"]: one_decimal(row["effective_rank"]) for row in quality}
    counts = counted(images, "image") + (f", {counted(clusters, 'cluster')}" if clusters else "")
    sentences = [f"{counts}. {why[0].upper()}{why[1:]}, so no classifier is measured."]
    if {BYOL, UNTRAINED} <= ranks.keys():
        sentences.append(
            f"The effective rank of BYOL's features is {ranks[BYOL]}, that of the untrained network's "
            f"{ranks[UNTRAINED]}; which are better it does not say."
        )
    return sentences


def _row(rows: pd.DataFrame, features: str) -> "pd.Series[float] | None":
    found = rows[(rows["features"] == features) & (rows["protocol"] == PROTOCOL)]
    return None if found.empty else found.iloc[0]


def _others(rows: pd.DataFrame) -> dict[str, str]:
    """Features that BYOL is compared with, in words: the pixels, the untrained network, then all else, as in tables."""
    others = [name for name in rows["features"].unique() if name != BYOL]
    pixels = [name for name in others if name.startswith(PIXELS)]
    rest = [name for name in others if name not in {*pixels, UNTRAINED}]
    words = {name: name.split(", ")[-1] + " of the pixels" for name in pixels}
    return words | {UNTRAINED: "the untrained network", **{name: IN_WORDS.get(name, name) for name in rest}}


def _beside_published(results: pd.DataFrame) -> list[str]:
    """The published table's own classifier beside that table, where the data is the same."""
    shown = comparable(results)
    byol = shown[shown["features"] == BYOL]
    table = byol[byol["reference"] == README].sort_values("epochs")
    if table.empty:
        return []
    says = " and ".join(
        f"{percent(top1)} % after {epochs:.0f}" for top1, epochs in zip(table["top1"], table["epochs"], strict=True)
    )
    same = measured(byol)
    return [
        f"With the published table's classifier BYOL is at {percent(row['top1'])} % after "
        f"{counted(int(row['epochs']), 'epoch')}; that table says {says}."
        for _, row in same[same["protocol"] == "linear_adam"].iterrows()
    ]


def _sentences(
    byol: "pd.Series[float]", others: "Mapping[str, pd.Series[float]]", p_values: Sequence[float]
) -> list[str]:
    beats: list[str] = []
    worse: list[str] = []
    unclear: list[str] = []
    for (name, row), p in zip(others.items(), p_values, strict=True):
        points = percent(abs(byol["top1"] - row["top1"]))
        if p >= LEVEL:
            where = "over" if byol["top1"] > row["top1"] else "below"
            unclear.append(f"{points} points {where} {name}" if float(points) else f"level with {name}")
        else:
            (beats if byol["top1"] > row["top1"] else worse).append(f"{name} by {points} points")
    found = []
    if beats:
        found.append(f"BYOL beats {_listed(beats)}.")
    if worse:
        found.append(f"BYOL is behind {_listed(worse)}.")
    if unclear:
        found.append(f"BYOL is {_listed(unclear)}: too little to rule out luck.")
    return found


def _advice(steps: int | None) -> str:
    took = "" if steps is None else f": this training took {steps:,}"
    return (
        "The usual reason for being behind the untrained network is too few steps for so few images"
        f"{took} (docs/recipes.md, “Few images”)."
    )


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _p_value(byol: "pd.Series[float]", other: "pd.Series[float]", comparisons: pd.DataFrame) -> float:
    """Of the test on the same images; where there are none that both have guessed, of two proportions. Unadjusted."""
    pair = {"features_a": BYOL, "protocol_a": PROTOCOL, "features_b": other["features"], "protocol_b": PROTOCOL}
    found = comparisons[(comparisons[list(pair)] == pd.Series(pair)).all(axis=1)]
    if found.empty:
        n, m = (wilson_trials(row["top1"], row["ci_low"], row["ci_high"]) for row in (byol, other))
        return two_proportions(byol["top1"], n, other["top1"], m)
    return float(found["p"].iloc[0])
