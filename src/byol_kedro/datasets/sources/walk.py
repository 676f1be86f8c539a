"""The picture files below a folder."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from byol_kedro.datasets.decode import ENDINGS
from byol_kedro.errors import UserError

HIDDEN, SEEN_ALREADY, SYSTEM = "hidden", "folders linked a second time", "system folders"
KINDS = 4  # endings that a line names
# Made by Synology, QNAP, NetApp, Windows, macOS and fsck, in lower case: thumbnails, and what somebody has deleted.
SYSTEM_FOLDERS = frozenset({
    "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", "~snapshot",
    "$recycle.bin", "recycler", "recycled", "system volume information",
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "lost+found",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file that should be a picture, by its ending. name: its path from the folder on, with slashes."""

    name: str
    size: int  # bytes
    time: int  # nanoseconds since 1970


def walk(folder: Path, ignored: Counter[str]) -> Iterator[File]:
    """In the order of their names; links are followed, each folder is read once.

    `ignored` counts what is passed over, by the reason. Raises UserError when a folder may not be read.
    """
    yield from _walk(folder, "", set(), ignored)


def printable(name: str) -> str:
    """The name without what a terminal, a csv or a parquet cannot hold: `a\\xff\\nb`; other names are unchanged."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def passed_over(ignored: Mapping[str, int]) -> str:
    """`50 files of other kinds passed over: .heic 40, .nef 10; 2 system folders passed over`; empty where none were.

    The most frequent kind comes first.
    """
    kinds = {kind: count for kind, count in ignored.items() if kind not in (HIDDEN, SEEN_ALREADY, SYSTEM)}
    parts = []
    if kinds:
        total, order = sum(kinds.values()), sorted(kinds, key=lambda kind: (-kinds[kind], kind))
        named = ", ".join(f"{kind} {kinds[kind]:,}" for kind in order[:KINDS]) + (", …" if len(order) > KINDS else "")
        parts.append(f"{total:,} file{'s' * (total > 1)} of other kinds passed over: {named}")
    if folders := ignored.get(SYSTEM, 0):
        parts.append(f"{folders:,} system folder{'s' * (folders > 1)} passed over")
    return "; ".join(parts)


def is_passed_over(name: str) -> bool:
    """Whether a folder of this name is hidden, or the system's own: it is nobody's class."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def _walk(folder: Path, above: str, seen: set[tuple[int, int]], ignored: Counter[str]) -> Iterator[File]:
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"folder {printable(str(folder))} cannot be read: {error.strerror}") from error
    if (here.st_dev, here.st_ino) in seen:
        ignored[SEEN_ALREADY] += 1
        return
    seen.add((here.st_dev, here.st_ino))
    for entry in entries:
        name, ending = above + entry.name, Path(entry.name).suffix.lower()
        if entry.name.startswith("."):
            ignored[HIDDEN] += 1
        elif _is_folder(entry) and is_passed_over(entry.name):
            ignored[SYSTEM] += 1  # not even looked into: lost+found may not be read
        elif _is_folder(entry):
            yield from _walk(Path(entry.path), f"{name}/", seen, ignored)
        elif ending in ENDINGS:
            yield _file(entry, name)
        else:
            ignored[printable(ending) or "no ending"] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file(entry: os.DirEntry[str], name: str) -> File:
    try:
        status = entry.stat()
    except OSError:
        return File(name, 0, 0)  # a link into nothing: who decodes it says so
    return File(name, status.st_size, status.st_mtime_ns)
