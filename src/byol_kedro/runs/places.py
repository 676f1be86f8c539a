"""Where paths lead: what a removal would take from those that are needed, and where an export may go."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project

import byol_kedro
from byol_kedro.errors import UserError
from byol_kedro.files.versioned import is_version
from byol_kedro.runs.history import Catalog, data_root, versioned_entries
from byol_kedro.runs.versions import entry_folder

LINKS = 40  # more in a row lead nowhere, as for Linux


def needed_places(paths: Iterable[Path]) -> set[Path]:
    """What must stay where it is so that all of `paths` lead where they do: links, files, and the folders above."""
    places = {place for path in paths for place in _way(path)}
    return places | {above for place in places for above in place.parents}


def place_of(path: Path) -> Path:
    """Where the file, the folder or the link `path` itself lies, whatever links are above it."""
    return Path(os.path.realpath(path.parent)) / path.name


def named_paths(values: Any, bases: Sequence[Path]) -> Iterator[Path]:
    """Every text in nested parameters as the path that it may be, of a relative one below each of `bases`.

    Of a reference that is `model@file` the file is one, too.
    """
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from named_paths(value, bases)
    elif isinstance(values, str) and "\0" not in values:
        for text in {values, values.partition("@")[2]} - {""}:
            yield from (base / os.path.expanduser(text) for base in bases)  # noqa: PTH111  # an unknown ~user stays


def _way(path: Path) -> Iterator[Path]:
    """Each link on the way to where `path` lies, and that place."""
    path = path.absolute()
    place, rest, links = Path(path.anchor), deque(path.parts[1:]), 0
    while rest:
        part = rest.popleft()
        step = place.parent if part == ".." else place / part
        if step.is_symlink() and part != ".." and links < LINKS:
            links += 1
            yield step
            target = step.readlink()
            if target.is_absolute():
                place = Path(target.anchor)
            rest.extendleft(reversed(target.parts[target.is_absolute() :]))
        else:
            place = step
    yield place


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
