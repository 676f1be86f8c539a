"""What a run that has failed leaves: whole versions, or nothing."""

import shutil
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.runs.user_errors import as_user_error
from byol_kedro.runs.versions import MANIFEST, path_of_version, versioned


def clean_up(error: Exception, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Remove what a node wrote before it could not write the rest.

    Kedro saves the outputs of a node one after the other, and images are only read when they are saved. Where
    nothing else is left and it was a mistake that the user can mend, the manifest goes too: there was no run.
    """
    for node in pipeline.nodes:
        written = _written(node.outputs, catalog)
        if len(written) < len(versioned(node.outputs, catalog)):
            for folder in written:
                shutil.rmtree(folder)
    if as_user_error(error) and not _written(sorted(pipeline.all_outputs()), catalog):
        for folder in _written([MANIFEST], catalog):
            shutil.rmtree(folder)


def _written(names: list[str], catalog: CatalogProtocol[Any, Any]) -> list[Path]:
    """The folders of the versions that this run has saved of the entries `names`."""
    entries = versioned(names, catalog).values()
    files = [path_of_version(entry, str(entry.resolve_save_version())) for entry in entries]
    return [file.parent for file in files if file.exists()]
