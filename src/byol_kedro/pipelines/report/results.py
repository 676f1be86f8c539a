"""The results table: one row per classifier with its accuracy, training, data and run."""

import json
from collections.abc import Hashable, Mapping
from hashlib import md5
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.names import OWN, PIXELS, UNTRAINED
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.pipelines.report.consistency import check_encoder, made_by
from byol_kedro.sources.stl10 import STL10

COLUMNS = (
    "classifier", "protocol", "features", "architecture", "dim", "projection_dim", "epochs", "batch_size",
    "top1", "ci_low", "ci_high", "data", "seed", "encoder", "source", "run_id", "command", "reference",
    "settings",
)  # fmt: skip
WHOLE = ("dim", "projection_dim", "batch_size", "seed")
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
LAYOUT = f"{DATA} layout"  # the name of other images in the files of STL-10
COUNTS = {"unlabeled": 100_000, "train": 5_000, "test": 8_000}
SIDE = 96  # pixels
LABELS = STL10.members["test_y.bin"].md5  # of the test labels, 1 to 10, one byte each
NAMES = STL10.members["class_names.txt"].md5

# Hyperparameters of the classifier of the published table.
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

# The tables merge the two results of ISSUE_4 into one row with a range.
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
    """Collects the measured rows, sorted, followed by the published rows.

    `top1` and the bounds of its 95 % Wilson interval are fractions; `settings` are the hyperparameters of the
    classifier as JSON. Missing values are <NA>, NaN or "".

    Args:
        header: Header of the encoder.
        manifest: Manifest of the run.
        metrics: Metrics by catalog entry.
        evaluated: Source of the loaded images. Metrics that do not name their data were computed on these.
        images: Fingerprints of the loaded images, unlabeled:train, as in the encoder's header.
        known_as: Name of the loaded images in the table (see `name_of_data`).

    Returns:
        A table with the columns `COLUMNS`.

    Raises:
        UserError: The metrics were computed for another encoder.
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
    return _frame([*sorted(rows, key=row_key), *ROWS])


def measured(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the measured rows."""
    return results[results["source"] == "measured"]


def comparable(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the measured rows and the published rows that are comparable to one of them.

    A published row is comparable to a measured row with the same data and protocol whose settings include those of
    the published row.
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
    """Returns the reason why no classifier was evaluated, as a clause; `splits` as in `chance_level`."""
    train, test = ([count for count in splits[split]["classes"].values() if count] for split in ("train", "test"))
    if not train and not test:
        return "the images have no labels"
    if len(train) < 2:
        return f"the training images have {'labels of only one class' if train else 'no labels'}"
    return "no test image has a label"


def chance_level(splits: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Returns the test accuracy of predicting the most frequent training class, a fraction.

    Equally frequent classes are averaged. `splits` are those of the data summary, whose `classes` count the labels;
    None if train or test has no labels.
    """
    train, test = (splits[split]["classes"] for split in ("train", "test"))
    if not train or not test:
        return None
    named = [name for name, count in train.items() if count == max(train.values())]
    return float(sum(test[name] for name in named) / len(named) / sum(test.values()))


def _settings(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Returns the settings of the classifier; empty if unknown, which is NaN in a table read from a CSV."""
    text = row["settings"]
    return {} if pd.isna(text) or not text else dict(json.loads(text))


def _training(
    row: Mapping[str, Any], header: Mapping[str, str], evaluated: str, images: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """Returns the training of a row, taken from the encoder's header and not from the current parameters."""
    known_as = names.get(evaluated, evaluated)
    if row["features"] in OWN:
        # An imported encoder has none of these, unless this project trained it.
        training = {name: header.get(name) for name in ("projection_dim", "epochs", "batch_size")}
        known = {name: float(value) for name, value in training.items() if value is not None}
        if known:
            known |= {name: int(known[name]) for name in known if name != "epochs"} | {"seed": int(header["seed"])}
        return {
            "architecture": header["architecture"],
            **known,
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
    """Returns the training data and, if different, the evaluation data."""
    if header["data"] != evaluated:
        return f"{header['data']} → {known_as}"
    # The same source can be ingested with different parameters.
    return known_as if header["data_fingerprint"] == images else f"{evaluated} → {known_as} (other images)"


def row_key(row: Mapping[str, Any]) -> tuple[tuple[int, str], tuple[int, str]]:
    """Sort key of a measured row: by features, then by protocol."""
    return features_key(row["features"]), protocol_key(row["protocol"])


def protocol_key(protocol: str) -> tuple[int, str]:
    """Sort key of a protocol; unknown protocols come last."""
    return PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol


def features_key(features: str) -> tuple[int, str]:
    """Sort key of features: the encoder's, reference encoders, untrained network, pixels."""
    return {**dict.fromkeys(OWN, 0), UNTRAINED: 2}.get(features, 3 if features.startswith(PIXELS) else 1), features


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    text = dict.fromkeys((name for name in COLUMNS if name not in (*WHOLE, *NUMBERS, "epochs")), "")
    table = pd.DataFrame([text | row for row in rows], columns=list(COLUMNS))
    # A training in steps may end within an epoch; otherwise the file contains 80, not 80.0.
    whole = all(epochs % 1 == 0 for epochs in table["epochs"].dropna())
    table["epochs"] = table["epochs"].astype("Int64" if whole else "Float64")
    return table.astype(dict.fromkeys(WHOLE, "Int64") | dict.fromkeys(NUMBERS, "float64"))


def name_of_data(images_test: Images, splits: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the name of the loaded images in the tables: their source, or `LAYOUT` for other images in STL-10 files.

    The source `stl10` reads any images in the file format of STL-10. The original is recognized by its number and
    size of images, its class names and its test labels. `splits` are those of the data summary.
    """
    if images_test.source != DATA:
        return images_test.source
    whole = {name: (count, SIDE, SIDE) for name, count in COUNTS.items()}
    found = {name: (splits[name]["count"], splits[name]["height"], splits[name]["width"]) for name in COUNTS}
    labels = md5((images_test.labels + 1).astype(np.uint8).tobytes(), usedforsecurity=False).hexdigest()
    names = "".join(f"{name}\n" for name in images_test.class_names).encode()
    same = (labels, md5(names, usedforsecurity=False).hexdigest()) == (LABELS, NAMES)
    return DATA if found == whole and same else LAYOUT
