"""What the numbers mean, in sentences that are made from the rows."""

import pandas as pd

from byol_kedro.evaluation.names import BYOL, PIXELS, SUPERVISED, UNTRAINED
from byol_kedro.evaluation.significance import LEVEL

from .published import DATA, README
from .results import measured
from .table import NOTHING_MEASURED, percent

# Comparisons are between equal classifiers, and this one is named before any test picture is seen.
PROTOCOL = "logistic"
IN_WORDS = {SUPERVISED: "the same network trained with labels"}


def summary(results: pd.DataFrame, chance: float | None, comparisons: pd.DataFrame) -> list[str]:
    """Sentences on the logistic rows: BYOL against pixels, untrained network and `chance` (a fraction).

    What is beyond luck is said by `comparisons` (see `pairwise.compare_all`).
    """
    own = measured(results)
    if own.empty:
        return [NOTHING_MEASURED]
    byol = _row(own, BYOL)
    if byol is None:
        return ["BYOL features were not measured with logistic regression, so nothing can be said of them."]
    others = [(name, row) for name, row in _comparisons(own) if row is not None]
    interval = f"95 % interval {percent(byol['ci_low'])}–{percent(byol['ci_high'])}"
    sentence = f"BYOL + {byol['classifier']} names {percent(byol['top1'])} % of the test pictures right ({interval})"
    if others:
        sentence += ": " + ", ".join(_difference(byol, row, name) for name, row in others)
    sentences = [sentence + "."]
    if chance is not None:
        sentences.append(f"Chance, always naming the most frequent class, is {percent(chance)} %.")
    sentences.extend(_verdict(byol, others, comparisons))
    return [*sentences, *_beside_published(results)]


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
    own = measured(results)
    if not own["data"].str.endswith(DATA).any():
        return [f"Published rows are of {DATA} and say nothing about these pictures."]
    same = own[(own["features"] == BYOL) & (own["protocol"] == "published")]
    table = results[(results["reference"] == README) & (results["features"] == BYOL)].sort_values("epochs")
    says = " and ".join(
        f"{percent(top1)} % after {epochs:.0f}" for top1, epochs in zip(table["top1"], table["epochs"], strict=True)
    )
    return [
        f"With the published table's classifier it is {percent(row['top1'])} % after {int(row['epochs'])} "
        f"epochs; that table says {says}."
        for _, row in same.iterrows()
    ]


def _difference(byol: "pd.Series[float]", other: "pd.Series[float]", name: str) -> str:
    points = round(100 * (byol["top1"] - other["top1"]), 1)
    if points == 0:
        return f"level with {name}"
    return f"{abs(points):.1f} points {'over' if points > 0 else 'below'} {name}"


def _verdict(
    byol: "pd.Series[float]", others: "list[tuple[str, pd.Series[float]]]", comparisons: pd.DataFrame
) -> list[str]:
    shown = {name: _beyond_luck(byol, row, comparisons) for name, row in others}
    worse = [name for name, row in others if shown[name] and byol["top1"] < row["top1"]]
    unclear = [name for name, _ in others if not shown[name]]
    verdict = []
    if worse:
        verdict.append(f"BYOL is worse than {' and '.join(worse)} here.")
    if unclear:
        verdict.append(f"Between BYOL and {' and '.join(unclear)} a difference beyond luck is not shown.")
    return verdict


def _beyond_luck(byol: "pd.Series[float]", other: "pd.Series[float]", comparisons: pd.DataFrame) -> bool:
    """By the test on the same pictures; where there are none that both have guessed, by the two intervals."""
    pair = {"features_a": BYOL, "protocol_a": PROTOCOL, "features_b": other["features"], "protocol_b": PROTOCOL}
    found = comparisons[(comparisons[list(pair)] == pd.Series(pair)).all(axis=1)]
    if found.empty:
        return bool(byol["ci_high"] < other["ci_low"] or byol["ci_low"] > other["ci_high"])
    return bool(found["p_holm"].iloc[0] < LEVEL)
