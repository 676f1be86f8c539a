"""Checks that metrics, predictions and images of a report come from the same encoder, data and run."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.errors import UserError

PREDICTIONS_OF = {"probe_metrics": "probe_predictions", "baseline_metrics": "baseline_predictions"}
HINT = "Rerun the pipeline evaluate, or load matching versions with --load-versions"


def made_by(manifest: Mapping[str, Any], entry: str) -> dict[str, str]:
    """Returns run and command that made a catalog entry: the current run, or the one whose version it loaded."""
    read = manifest["reads"].get(entry)
    if read is None:
        return {"run_id": manifest["run_id"], "command": manifest["command"]}
    return {"run_id": read["version"], "command": read["command"]}


def own_steps(header: Mapping[str, str], manifest: Mapping[str, Any], history: pd.DataFrame) -> int | None:
    """Returns the number of steps of the encoder's training, None if the history is from another run or empty."""
    own = made_by(manifest, "training_history")["run_id"] == header["version"]
    return int(history["step"].iloc[-1]) if own and len(history) else None


def check_encoder(header: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that the metrics were computed for the encoder of the report.

    Raises:
        UserError: The metrics were computed for another encoder.
    """
    for name, table in metrics.items():
        found = Provenance.from_header(table).encoder_version or "unknown"
        if found != header["version"]:
            raise UserError(
                f"{name} was computed for encoder {found}, but the report is for encoder {header['version']}. {HINT}"
            )


def check_images(images_test: Images, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Checks that the metrics were computed on the loaded test images.

    Raises:
        UserError: The metrics were computed on other test images.
    """
    for name, table in metrics.items():
        found = Provenance.from_header(table).data_fingerprint or "unknown"
        if found != images_test.fingerprint:
            raise UserError(
                f"{name} was computed on test images {found[:12]}, but images_test has fingerprint "
                f"{images_test.fingerprint[:12]}. {HINT}"
            )


def check_summary(images_test: Images, data_summary: Mapping[str, Any]) -> None:
    """Checks that the data summary describes the loaded test images.

    Raises:
        UserError: The summary describes other test images.
    """
    found = str(data_summary["splits"]["test"]["fingerprint"])
    if found != images_test.fingerprint:
        raise UserError(
            f"data_summary describes test images {found[:12]}, but images_test has fingerprint "
            f"{images_test.fingerprint[:12]}. Rerun the pipeline ingest, or load matching versions with --load-versions"
        )


def check_runs(manifest: Mapping[str, Any]) -> None:
    """Checks that predictions, which do not name their encoder, come from the same run as their metrics.

    Raises:
        UserError: Predictions and metrics come from different runs.
    """
    entries = {*manifest["reads"], *manifest["writes"]}
    for metrics, predictions in PREDICTIONS_OF.items():
        if metrics not in entries:  # only some nodes of the report run
            continue
        run, other = (made_by(manifest, name)["run_id"] for name in (metrics, predictions))
        if run != other:
            raise UserError(
                f"{metrics} is from run {run}, but {predictions} is from run {other}. Rerun the pipelines "
                "baselines,probes,report, or load matching versions with --load-versions"
            )
