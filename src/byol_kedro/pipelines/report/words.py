"""What the numbers mean, in sentences that are made from the rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from byol_kedro.evaluation.names import BYOL, PIXELS, SUPERVISED, UNTRAINED
from byol_kedro.evaluation.significance import LEVEL

from .published import README
from .results import comparable, measured
from .table import percent

# Comparisons are between equal classifiers, and this one is named before any test picture is seen.
PROTOCOL = "logistic"
IN_WORDS = {SUPERVISED: "the same network trained with labels"}


def summary(results: pd.DataFrame, comparisons: pd.DataFrame, steps: int | None) -> list[str]:
    """Sentences on the logistic rows: whether BYOL beats the pixels, the untrained network and the references.

    What is beyond luck is said by `comparisons` (see `pairwise.compare_all`); `steps` is the length of the training.
    """
    own = measured(results)
    byol = _row(own, BYOL)
    if byol is None:
        return ["BYOL features were not measured with logistic regression, so nothing can be said of them."]
    others = [(name, row) for name, row in _comparisons(own) if row is not None]
    advice = [_advice(steps)] if behind(results) else []
    return [*_verdict(byol, others, comparisons), *advice, *_beside_published(results)]


def behind(results: pd.DataFrame) -> bool:
    """Whether fewer test pictures are named right with BYOL's features than with those of the untrained network."""
    byol, untrained = (_row(measured(results), name) for name in (BYOL, UNTRAINED))
    return byol is not None and untrained is not None and bool(byol["top1"] < untrained["top1"])


def without_labels(pictures: int, clusters: int, quality: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on what there is where no test picture has a label. `quality` are the rows of quality_metrics."""
    ranks = {row["features"]: f"{row['effective_rank']:.1f}" for row in quality}
    counts = f"{pictures:,} pictures{f', {clusters:,} clusters' if clusters else ''}"
    sentences = [f"{counts}. No test picture has a label, so no classifier is measured."]
    if {BYOL, UNTRAINED} <= ranks.keys():
        sentences.append(
            f"The effective rank of BYOL's features is {ranks[BYOL]}, that of the untrained network's "
            f"{ranks[UNTRAINED]}; which are better it does not say."
        )
    return sentences


def _row(rows: pd.DataFrame, features: str) -> "pd.Series[float] | None":
    found = rows[(rows["features"] == features) & (rows["protocol"] == PROTOCOL)]
    return None if found.empty else found.iloc[0]


def _comparisons(rows: pd.DataFrame) -> "list[tuple[str, pd.Series[float] | None]]":
    """What BYOL is compared with, in words: the pixels, the untrained network, then all else, as in the tables."""
    others = [name for name in rows["features"].unique() if name != BYOL]
    pixels = [name for name in others if name.startswith(PIXELS)]
    rest = [name for name in others if name not in {*pixels, UNTRAINED}]
    words = {name: name.split(", ")[-1] + " of the pixels" for name in pixels}
    words |= {UNTRAINED: "the untrained network", **{name: IN_WORDS.get(name, name) for name in rest}}
    return [(said, _row(rows, name)) for name, said in words.items()]


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
        f"With the published table's classifier BYOL is at {percent(row['top1'])} % after {int(row['epochs'])} "
        f"epochs; that table says {says}."
        for _, row in same[same["protocol"] == "published"].iterrows()
    ]


def _verdict(
    byol: "pd.Series[float]", others: "list[tuple[str, pd.Series[float]]]", comparisons: pd.DataFrame
) -> list[str]:
    beats: list[str] = []
    worse: list[str] = []
    unclear: list[str] = []
    for name, row in others:
        points = round(100 * (byol["top1"] - row["top1"]), 1)
        if not _beyond_luck(byol, row, comparisons):
            where = "over" if points > 0 else "below"
            unclear.append(f"{abs(points):.1f} points {where} {name}" if points else f"level with {name}")
        else:
            (beats if byol["top1"] > row["top1"] else worse).append(f"{name} by {abs(points):.1f} points")
    verdict = []
    if beats:
        verdict.append(f"BYOL beats {_listed(beats)}.")
    if worse:
        verdict.append(f"BYOL is behind {_listed(worse)}.")
    if unclear:
        verdict.append(f"BYOL is {_listed(unclear)}: too little to rule out luck.")
    return verdict


def _advice(steps: int | None) -> str:
    took = "" if steps is None else f": this training took {steps:,}"
    return (
        "The usual reason for being behind the untrained network is too few steps for so few pictures"
        f"{took} (docs/recipes.md, “Few pictures”)."
    )


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _beyond_luck(byol: "pd.Series[float]", other: "pd.Series[float]", comparisons: pd.DataFrame) -> bool:
    """By the test on the same pictures; where there are none that both have guessed, by the two intervals."""
    pair = {"features_a": BYOL, "protocol_a": PROTOCOL, "features_b": other["features"], "protocol_b": PROTOCOL}
    found = comparisons[(comparisons[list(pair)] == pd.Series(pair)).all(axis=1)]
    if found.empty:
        return bool(byol["ci_high"] < other["ci_low"] or byol["ci_low"] > other["ci_high"])
    return bool(found["p_holm"].iloc[0] < LEVEL)
