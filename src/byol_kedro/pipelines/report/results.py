"""One row per classifier: how good, of what training, on which data, made by which run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from byol_kedro.errors import UserError

from .published import ROWS

COLUMNS = (
    "classifier", "protocol", "features", "architecture", "dim", "projection_dim", "epochs", "batch_size",
    "top1", "ci_low", "ci_high", "data", "seed", "encoder", "source", "run_id", "command", "reference",
)  # fmt: skip
WHOLE = ("dim", "projection_dim", "epochs", "batch_size", "seed")
NUMBERS = ("top1", "ci_low", "ci_high")
BYOL, UNTRAINED, PIXELS = "BYOL", "untrained network", "pixels"
PROTOCOLS = ("logistic", "published", "linear_sgd", "mlp", "knn", "knn200")


def collect(
    header: Mapping[str, str],
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    evaluated: str,
) -> pd.DataFrame:
    """The measured rows of all `metrics` (catalog entry → its JSON), sorted, then the published ones.

    `header` is the encoder's; `evaluated` names the data of metrics that do not name theirs. `top1` and
    the bounds of its 95 % Wilson interval are fractions; what a row has no value for is <NA>, NaN or "".

    Raises:
        UserError: metrics are of another encoder.
    """
    check_encoder(header, metrics)
    rows = [
        {
            **row,
            **_training(row, header, table.get("data", evaluated)),
            **made_by(manifest, name),
            "source": "measured",
        }
        for name, table in metrics.items()
        for row in table["rows"]
    ]
    return _frame([*sorted(rows, key=rank), *ROWS])


def check_encoder(header: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse metrics that were measured on another encoder than the one that is reported."""
    for name, table in metrics.items():
        if table["encoder_version"] != header["version"]:
            raise UserError(
                f"{name}: measured on encoder {table['encoder_version']}, but the report is of encoder "
                f"{header['version']}; run kedro run --pipelines=evaluate, or pin the two together with "
                f"--load-versions"
            )


def made_by(manifest: Mapping[str, Any], entry: str) -> dict[str, str]:
    """Run and command that made a catalog entry: this run, unless this run has read it."""
    read = manifest["reads"].get(entry)
    if read is None:
        return {"run_id": manifest["run_id"], "command": manifest["command"]}
    return {"run_id": read["version"], "command": read["command"]}


def measured(results: pd.DataFrame) -> pd.DataFrame:
    return results[results["source"] == "measured"]


def chance_level(labels: np.ndarray) -> float | None:
    """The top-1 of always naming the most frequent class, of `labels` (N,) int64 with -1 where unknown."""
    known = labels[labels >= 0]
    return float(np.bincount(known).max() / len(known)) if len(known) else None


def _training(row: Mapping[str, Any], header: Mapping[str, str], evaluated: str) -> dict[str, Any]:
    """What the row says of the training: of the encoder's header, whatever today's parameters are."""
    if row["features"] == BYOL:
        trained = header["data"]
        return {
            "architecture": header["architecture"],
            "projection_dim": int(header["projection_dim"]),
            "epochs": int(header["epochs"]),
            "batch_size": int(header["batch_size"]),
            "seed": int(header["seed"]),
            "encoder": header["version"],
            "data": evaluated if trained == evaluated else f"{trained} → {evaluated}",
        }
    if row["features"] == UNTRAINED:
        return {
            "architecture": header["architecture"],
            "epochs": 0,
            "seed": int(header["seed"]),
            "data": evaluated,
        }
    return {"data": evaluated}


def rank(row: Mapping[str, Any]) -> tuple[tuple[int, str], int]:
    """The place of a measured row: by features, then by protocol."""
    protocol = row["protocol"]
    return place(row["features"]), PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS)


def place(features: str) -> tuple[int, str]:
    """The place of features among others: BYOL first, then what is unknown, then what BYOL has to beat."""
    return {BYOL: 0, UNTRAINED: 2}.get(features, 3 if features.startswith(PIXELS) else 1), features


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    text = dict.fromkeys((name for name in COLUMNS if name not in (*WHOLE, *NUMBERS)), "")
    table = pd.DataFrame([text | row for row in rows], columns=list(COLUMNS))
    return table.astype(dict.fromkeys(WHOLE, "Int64") | dict.fromkeys(NUMBERS, "float64"))
