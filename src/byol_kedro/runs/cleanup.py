"""Remove partial outputs of a failed run."""

import shutil
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.runs.user_errors import as_user_error
from byol_kedro.runs.versions import MANIFEST, path_of_version, versioned


def clean_up(error: Exception, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Remove the outputs of a node that could not save all of them.

    Kedro saves the outputs of a node one by one, and images are only read while they are saved. If the run has saved
    nothing else and `error` is a user error, the manifest is removed too.
    """
    for node in pipeline.nodes:
        saved = _saved(node.outputs, catalog)
        if len(saved) < len(versioned(node.outputs, catalog)):
            for folder in saved:
                shutil.rmtree(folder)
    if as_user_error(error) and not _saved(sorted(pipeline.all_outputs()), catalog):
        for folder in _saved([MANIFEST], catalog):
            shutil.rmtree(folder)


def _saved(names: list[str], catalog: CatalogProtocol[Any, Any]) -> list[Path]:
    """Return the folders of the versions that this run has saved of the entries `names`."""
    entries = versioned(names, catalog).values()
    files = [path_of_version(entry, str(entry.resolve_save_version())) for entry in entries]
    return [file.parent for file in files if file.exists()]
