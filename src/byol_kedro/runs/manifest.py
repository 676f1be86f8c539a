"""The manifest of a run: everything that is needed to reproduce it."""

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.files.integrity import DamagedError, verify_checksum
from byol_kedro.files.masking import masked_values
from byol_kedro.log import get_logger
from byol_kedro.parameters import Parameters
from byol_kedro.runs.command_line import command_line
from byol_kedro.runs.versions import MANIFEST, path_of_version, versioned

PACKAGES = (
    "byol-kedro", "kedro", "kedro-datasets", "torch", "torchvision", "timm", "scikit-learn", "scikit-image",
    "numpy", "pandas", "pyarrow", "plotly", "safetensors", "pydantic", "pillow",
)  # fmt: skip
logger = get_logger(__name__)


def run_manifest(
    run_params: Mapping[str, Any],
    pipeline: Pipeline,
    parameters: Parameters,
    reads: Mapping[str, str],
    catalog: CatalogProtocol[Any, Any],
) -> dict[str, Any]:
    """Return the manifest of a run, which contains only JSON values.

    Args:
        run_params: what Kedro passes to `before_pipeline_run`.
        pipeline: the nodes that run.
        parameters: the validated parameters.
        reads: the version of each entry that the run reads and does not write.
        catalog: contains the manifests of the runs that wrote these entries.
    """
    writers = {read: manifest_of(read, catalog) for read in sorted(set(reads.values()))}
    return {
        "run_id": run_params["run_id"],
        "command": command_line(run_params),
        "environment": run_params["env"] or "local",
        "pipelines": list(run_params["pipeline_names"] or ["__default__"]),
        "parameters": masked_values(parameters.model_dump(mode="json")),
        "git": _git(Path(run_params["project_path"])),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "reads": {name: {"version": read, "command": writers[read].get("command", "")} for name, read in reads.items()},
        "writes": list(versioned(sorted(pipeline.all_outputs()), catalog)),
    }


def manifest_of(run_id: str, catalog: CatalogProtocol[Any, Any]) -> dict[str, Any]:
    """Return the manifest of an earlier run, secrets masked; empty if it is missing or, with a warning, damaged."""
    dataset = catalog.get(MANIFEST)
    assert isinstance(dataset, AbstractVersionedDataset)
    path = path_of_version(dataset, run_id)
    if not path.exists():
        return {}
    try:
        verify_checksum(path)
    except DamagedError as error:
        logger.warning("inputs and command of run %s are unknown: %s %s", run_id, path, error.fault)
        return {}
    return dict(masked_values(json.loads(path.read_text("utf-8"))))


def _git(project: Path) -> dict[str, Any]:
    """Return the git revision and whether files have changed; empty outside a checkout."""

    def ask(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603  (fixed arguments, no shell)
            ["git", *arguments],  # noqa: S607  (whichever git the user has)
            cwd=project, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip

    try:
        return {"revision": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}
