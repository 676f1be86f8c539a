"""Where paths lead: what a removal would take from those that are needed, and what lies in another place."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
