"""Where an export may be written: not among what a run has made, reads or consists of."""

import os
from collections.abc import Iterator
from pathlib import Path

from kedro.utils import find_kedro_project

import byol_kedro
from byol_kedro.datasets.versioned import is_version
from byol_kedro.errors import UserError
from byol_kedro.results.places import place_of
from byol_kedro.results.runs import Catalog, data_root, versioned_entries
from byol_kedro.versions import entry_folder


def refuse_own_places(output: Path, catalog: Catalog) -> None:
    """UserError where the file `output`, or what it is a link to, is below a folder of the project's own."""
    written = Path(os.path.abspath(output))  # noqa: PTH100  # with its `..` taken away as they are typed
    for place in (written, place_of(output), Path(os.path.realpath(output))):
        for what, folder in _own(catalog):
            if place.is_relative_to(folder) or place.is_relative_to(os.path.realpath(folder)):
                raise UserError(f"--output {output}: this is below {folder}, {what}; name a file in another folder")
        # Also of environments that are not this one's.
        for above in place.parents:
            if is_version(above.name):
                raise UserError(
                    f"--output {output}: {above} is a version of an artifact, and none is ever written over; name a "
                    "file in another folder"
                )


def _own(catalog: Catalog) -> Iterator[tuple[str, Path]]:
    # A folder of entries may be a link to another disk.
    for folder in {data_root(catalog), *(entry_folder(entry).parent for entry in versioned_entries(catalog).values())}:
        yield "which holds artifacts of this environment", folder
    project, parameters = find_kedro_project(Path.cwd()) or Path.cwd(), catalog.load("parameters")
    for name in ("raw_root", "predict_root"):
        if parameters[name] is not None:
            yield f"which holds images that are only read ({name})", project / Path(parameters[name]).expanduser()
    for folder in (project / "conf", project / "src", Path(byol_kedro.__file__).parent):
        yield "which holds the configuration and the code", folder
