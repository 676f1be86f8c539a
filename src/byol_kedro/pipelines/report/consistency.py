"""Refuses metrics, guesses and images that do not belong in one report."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from byol_kedro.datasets.images import Images
from byol_kedro.errors import UserError

GUESSES_OF = {"probe_metrics": "probe_predictions", "baseline_metrics": "baseline_predictions"}
MEND = "run the pipeline evaluate again, or pin the two together with --load-versions"


def made_by(manifest: Mapping[str, Any], entry: str) -> dict[str, str]:
    """Run and command that made a catalog entry: this run, unless this run has read it."""
    read = manifest["reads"].get(entry)
    if read is None:
        return {"run_id": manifest["run_id"], "command": manifest["command"]}
    return {"run_id": read["version"], "command": read["command"]}


def own_steps(header: Mapping[str, str], manifest: Mapping[str, Any], history: pd.DataFrame) -> int | None:
    """The length of the encoder's training; None where the history is of another run."""
    own = made_by(manifest, "training_history")["run_id"] == header["version"]
    return int(history["step"].iloc[-1]) if own else None


def check_encoder(header: Mapping[str, str], metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """UserError when metrics were measured on another encoder than the one that is reported."""
    for name, table in metrics.items():
        if table["encoder_version"] != header["version"]:
            raise UserError(
                f"{name}: measured on encoder {table['encoder_version']}, but the report is of encoder "
                f"{header['version']}; {MEND}"
            )


def check_images(images_test: Images, metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """UserError when metrics were measured on other test images than those that are described."""
    for name, table in metrics.items():
        found = str(table.get("data_fingerprint", "unknown"))
        if found != images_test.fingerprint:
            raise UserError(
                f"{name}: measured on test images {found[:12]}, but images_test holds "
                f"{images_test.fingerprint[:12]}; {MEND}"
            )


def check_summary(images_test: Images, data_summary: Mapping[str, Any]) -> None:
    """UserError when the summary is of other test images than those that are at hand."""
    found = str(data_summary["splits"]["test"]["fingerprint"])
    if found != images_test.fingerprint:
        raise UserError(
            f"data_summary: describes test images {found[:12]}, but images_test holds "
            f"{images_test.fingerprint[:12]}; run the pipeline ingest again, or pin the two together with "
            "--load-versions"
        )


def check_runs(manifest: Mapping[str, Any]) -> None:
    """UserError when the guesses, which name no encoder themselves, are of another run than their metrics."""
    at_hand = {*manifest["reads"], *manifest["writes"]}
    for metrics, predictions in GUESSES_OF.items():
        if metrics not in at_hand:  # only some nodes of the report run
            continue
        measured, guessed = (made_by(manifest, name)["run_id"] for name in (metrics, predictions))
        if measured != guessed:
            raise UserError(
                f"{metrics} is of run {measured}, but {predictions} of run {guessed}; run the pipelines "
                "baselines,probes,report again, or pin the two together with --load-versions"
            )
