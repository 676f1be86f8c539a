"""Resolve paths and links: what `prune` must keep, and where `export` may write."""

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

LINKS = 40  # more in a row are an error, as in Linux


def required_paths(paths: Iterable[Path]) -> set[Path]:
    """Return the links, files and parent folders that are needed to reach all of `paths`."""
    places = {place for path in paths for place in _way(path)}
    return places | {above for place in places for above in place.parents}


def canonical_path(path: Path) -> Path:
    """Return `path` with links in its parents resolved, but not the last link."""
    return Path(os.path.realpath(path.parent)) / path.name


def paths_in(values: Any, bases: Sequence[Path]) -> Iterator[Path]:
    """Yield every string in nested parameters as a possible path; a relative one below each of `bases`.

    For `model@file` the file is yielded too.
    """
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from paths_in(value, bases)
    elif isinstance(values, str) and "\0" not in values:
        for text in {values, values.partition("@")[2]} - {""}:
            yield from (base / os.path.expanduser(text) for base in bases)  # noqa: PTH111  # keeps an unknown ~user


def _way(path: Path) -> Iterator[Path]:
    """Yield each link on the way to `path`, then its real location."""
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


def check_output_path(output: Path, catalog: Catalog) -> None:
    """Check that an export does not overwrite files of the project.

    Raises:
        UserError: `output`, or the file that it links to, is below a folder of the project.
    """
    written = Path(os.path.abspath(output))  # noqa: PTH100  # resolves `..` without following links
    for place in (written, canonical_path(output), Path(os.path.realpath(output))):
        for what, folder in _own(catalog):
            if place.is_relative_to(folder) or place.is_relative_to(os.path.realpath(folder)):
                raise UserError(f"--output {output}: is below {folder}, {what}; choose a file in another folder")
        # Artifacts of other environments.
        for above in place.parents:
            if is_version(above.name):
                raise UserError(
                    f"--output {output}: {above} is a version of an artifact, and artifacts are immutable; choose a "
                    "file in another folder"
                )


def _own(catalog: Catalog) -> Iterator[tuple[str, Path]]:
    # The folder of an entry may be a link to another disk.
    for folder in {data_root(catalog), *(entry_folder(entry).parent for entry in versioned_entries(catalog).values())}:
        yield "which contains artifacts of this environment", folder
    project, parameters = find_kedro_project(Path.cwd()) or Path.cwd(), catalog.load("parameters")
    for name in ("raw_root", "predict_root"):
        if parameters[name] is not None:
            yield f"which contains input images ({name})", project / Path(parameters[name]).expanduser()
    for folder in (project / "conf", project / "src", Path(byol_kedro.__file__).parent):
        yield "which contains configuration or code", folder
