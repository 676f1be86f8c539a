"""One row per classifier: how good, of what training, on which data, made by which run."""

import json
from collections.abc import Hashable, Mapping
from hashlib import md5
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.names import BYOL, PIXELS, UNTRAINED
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.pipelines.report.consistency import check_encoder, made_by
from byol_kedro.sources.stl10 import STL10

COLUMNS = (
    "classifier", "protocol", "features", "architecture", "dim", "projection_dim", "epochs", "batch_size",
    "top1", "ci_low", "ci_high", "data", "seed", "encoder", "source", "run_id", "command", "reference",
    "settings",
)  # fmt: skip
WHOLE = ("dim", "projection_dim", "epochs", "batch_size", "seed")
NUMBERS = ("top1", "ci_low", "ci_high")
PROTOCOLS = tuple(PROBES)
README = "sthalles/PyTorch-BYOL README"
ISSUE_4 = "sthalles/PyTorch-BYOL#4 (users)"
ISSUE_6 = "sthalles/PyTorch-BYOL#6 (users)"

LINKS = {
    README: "https://github.com/sthalles/PyTorch-BYOL#readme",
    ISSUE_4: "https://github.com/sthalles/PyTorch-BYOL/issues/4",
    ISSUE_6: "https://github.com/sthalles/PyTorch-BYOL/issues/6",
}

DATA = "stl10"
LAYOUT = f"{DATA} layout"  # what the tables call other images in the files of STL-10
COUNTS = {"unlabeled": 100_000, "train": 5_000, "test": 8_000}
SIDE = 96  # pixels
LABELS = STL10.members["test_y.bin"].md5  # of the labels of the test images, 1 to 10, a byte each
NAMES = STL10.members["class_names.txt"].md5

# Of the classifier, as the table's authors train it.
SETTINGS = json.dumps({"lr": 0.0003, "batch_size": 64, "epochs": 200})

_PIXELS: dict[str, Any] = {"features": "pixels, PCA 256", "dim": 256, "data": DATA, "source": "published"}
_BYOL: dict[str, Any] = {
    "classifier": "logistic regression",
    "protocol": "linear_adam",
    "features": "BYOL",
    "architecture": "resnet18",
    "dim": 512,
    "projection_dim": 128,
    "batch_size": 64,
    "data": DATA,
    "source": "published",
    "settings": SETTINGS,
}

# The two reports of ISSUE_4 are one range: tables write them in one row.
ROWS: tuple[dict[str, Any], ...] = (
    {**_BYOL, "epochs": 80, "top1": 0.752, "reference": README},
    {**_BYOL, "epochs": 80, "top1": 0.695, "reference": ISSUE_4},
    {**_BYOL, "epochs": 80, "top1": 0.700, "reference": ISSUE_4},
    {**_BYOL, "epochs": 40, "top1": 0.701, "reference": README},
    {**_BYOL, "epochs": 40, "top1": 0.665, "reference": ISSUE_6},
    {
        **_PIXELS,
        "classifier": "logistic regression",
        "protocol": "logistic",
        "top1": 0.360,
        "reference": README,
    },
    {**_PIXELS, "classifier": "kNN", "protocol": "knn", "top1": 0.318, "reference": README},
)


def collect(
    header: Mapping[str, str],
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    evaluated: str,
    images: str,
    known_as: str,
) -> pd.DataFrame:
    """The measured rows of all `metrics` (catalog entry → its JSON), sorted, then the published ones.

    `header` is the encoder's; `evaluated` is the source of the images at hand, of which metrics are that do not
    name theirs, and `known_as` what tables call these (see `published.name_of_data`); `images` are their
    fingerprints unlabeled:train, as an encoder names its own. `top1` and the bounds of its 95 % Wilson interval are
    fractions; `settings` are the parameters of the classifier, as JSON; what a row has no value for is <NA>, NaN or "".

    Raises:
        UserError: metrics are of another encoder.
    """
    check_encoder(header, metrics)
    rows = [
        {
            **row,
            **_training(row, header, table.get("data", evaluated), images, {evaluated: known_as}),
            **made_by(manifest, name),
            "source": "measured",
            "settings": json.dumps(row["settings"]) if "settings" in row else "",
        }
        for name, table in metrics.items()
        for row in table["rows"]
    ]
    return _frame([*sorted(rows, key=rank), *ROWS])


def measured(results: pd.DataFrame) -> pd.DataFrame:
    return results[results["source"] == "measured"]


def comparable(results: pd.DataFrame) -> pd.DataFrame:
    """The measured rows, and the published ones beside which the same was done on the same data.

    That is a measured row of the same protocol whose settings hold those of the published one.
    """
    rows = results.to_dict("records")
    own = [row for row in rows if row["source"] == "measured"]

    def shown(row: Mapping[Hashable, Any]) -> bool:
        return any(
            (row["data"], row["protocol"]) == (mine["data"], mine["protocol"])
            and _settings(row).items() <= _settings(mine).items()
            for mine in own
        )

    return results[[row["source"] == "measured" or shown(row) for row in rows]]


def why_unmeasured(splits: Mapping[str, Mapping[str, Any]]) -> str:
    """Why no classifier was measured, as a clause; `splits` as for `chance_level`."""
    train, test = ([count for count in splits[split]["classes"].values() if count] for split in ("train", "test"))
    if not train and not test:
        return "there are no labels to learn from or to test on"
    if len(train) < 2:
        return f"train has labels of {'one class alone' if train else 'no class'}"
    return "no test image has a label"


def chance_level(splits: Mapping[str, Mapping[str, Any]]) -> float | None:
    """The top-1 on test of always naming the class that is the most frequent in train; of several, their mean.

    splits: those of the data summary, whose `classes` count the labels. None where a split has no labels.
    """
    train, test = (splits[split]["classes"] for split in ("train", "test"))
    if not train or not test:
        return None
    named = [name for name, count in train.items() if count == max(train.values())]
    return float(sum(test[name] for name in named) / len(named) / sum(test.values()))


def _settings(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Of the classifier; none where it is not known, which a table read from a CSV has as NaN."""
    text = row["settings"]
    return {} if pd.isna(text) or not text else dict(json.loads(text))


def _training(
    row: Mapping[str, Any], header: Mapping[str, str], evaluated: str, images: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """What the row says of the training: of the encoder's header, whatever today's parameters are."""
    known_as = names.get(evaluated, evaluated)
    if row["features"] == BYOL:
        return {
            "architecture": header["architecture"],
            "projection_dim": int(header["projection_dim"]),
            "epochs": int(header["epochs"]),
            "batch_size": int(header["batch_size"]),
            "seed": int(header["seed"]),
            "encoder": header["version"],
            "data": _data(header, evaluated, images, known_as),
        }
    if row["features"] == UNTRAINED:
        return {
            "architecture": header["architecture"],
            "epochs": 0,
            "seed": int(header["seed"]),
            "data": known_as,
        }
    return {"data": known_as}


def _data(header: Mapping[str, str], evaluated: str, images: str, known_as: str) -> str:
    """What BYOL was trained on and, where that is something else, what it was evaluated on."""
    if header["data"] != evaluated:
        return f"{header['data']} → {known_as}"
    # A source can be ingested in several ways, which its name does not tell.
    return known_as if header["data_fingerprint"] == images else f"{evaluated} → {known_as} (other images)"


def rank(row: Mapping[str, Any]) -> tuple[tuple[int, str], tuple[int, str]]:
    """The place of a measured row: by features, then by protocol."""
    return place(row["features"]), order(row["protocol"])


def order(protocol: str) -> tuple[int, str]:
    """The place of a protocol among others; what is unknown comes last."""
    return PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol


def place(features: str) -> tuple[int, str]:
    """The place of features among others: BYOL first, then what is unknown, then what BYOL has to beat."""
    return {BYOL: 0, UNTRAINED: 2}.get(features, 3 if features.startswith(PIXELS) else 1), features


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    text = dict.fromkeys((name for name in COLUMNS if name not in (*WHOLE, *NUMBERS)), "")
    table = pd.DataFrame([text | row for row in rows], columns=list(COLUMNS))
    return table.astype(dict.fromkeys(WHOLE, "Int64") | dict.fromkeys(NUMBERS, "float64"))


def name_of_data(images_test: Images, splits: Mapping[str, Mapping[str, Any]]) -> str:
    """What the tables call the images at hand: the name of their source, for STL-10 only where they are STL-10.

    `splits` are those of the data summary. The source `stl10` reads any images in STL-10's files; the original has so
    many of them at 96 px, its class names, and its test labels in this order.
    """
    if images_test.source != DATA:
        return images_test.source
    whole = {name: (count, SIDE, SIDE) for name, count in COUNTS.items()}
    found = {name: (splits[name]["count"], splits[name]["height"], splits[name]["width"]) for name in COUNTS}
    labels = md5((images_test.labels + 1).astype(np.uint8).tobytes(), usedforsecurity=False).hexdigest()
    names = "".join(f"{name}\n" for name in images_test.class_names).encode()
    same = (labels, md5(names, usedforsecurity=False).hexdigest()) == (LABELS, NAMES)
    return DATA if found == whole and same else LAYOUT
