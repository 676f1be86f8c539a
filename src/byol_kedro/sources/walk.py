"""The image files below a folder."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from byol_kedro.errors import UserError, escaped
from byol_kedro.files.decode import SUFFIXES
from byol_kedro.files.user_files import reason_of, state_of
from byol_kedro.sources.outputs import is_among_outputs, is_data_root, is_image_entry, is_layer, refuse_outputs

HIDDEN, LINKED_AGAIN = "hidden", "folders linked a second time"
SYSTEM, OUTPUTS = "system folders", "outputs of runs"
KINDS_SHOWN = 4  # file types in a message
# Created by Synology, QNAP, NetApp, Windows, macOS and fsck, in lower case: thumbnails and deleted files.
SYSTEM_FOLDERS = frozenset({
    "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", "~snapshot",
    "$recycle.bin", "recycler", "recycled", "system volume information",
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "lost+found",
})  # fmt: skip
MAX_PATH_SHOWN = 200  # characters of a path in a message


class File(NamedTuple):
    """A file that is an image according to its suffix.

    Attributes:
        name: Path relative to the folder, with slashes.
        state: State of its metadata, see `state_of`.
        unreadable: Reason why its metadata could not be read; empty if they could.
    """

    name: str
    state: str
    unreadable: str = ""


def walk(folder: Path, ignored: Counter[str], prefix: str = "", again: dict[str, str] | None = None) -> Iterator[File]:
    """List the image files below a folder in the order of their names.

    Links are followed, each folder is read once, and outputs of runs are ignored.

    Args:
        folder: The folder.
        ignored: Counts ignored files by reason; updated while the result is iterated over.
        prefix: Beginning of all names.
        again: Receives the name of each folder that is linked a second time, and the name under which it is read.

    Raises:
        UserError: A folder cannot be read, `folder` is an output of runs, or a data_root below it contains images of
            the user.
    """
    return _Walk(folder, ignored, prefix, {} if again is None else again).files()


def printable(name: str) -> str:
    r"""Escape characters that a terminal, CSV or parquet cannot represent: `a\xff\nb`.

    Different names stay different: backslashes are doubled.
    """
    return escaped(name.replace("\\", r"\\"))


def shortened(name: str) -> str:
    """Escape a path like `printable`, and cut out the middle if it is long."""
    text = printable(name)
    return text if len(text) <= MAX_PATH_SHOWN else f"{text[: MAX_PATH_SHOWN // 2]}…{text[-MAX_PATH_SHOWN // 2 :]}"


def ignored_text(ignored: Mapping[str, int]) -> str:
    """Describe ignored files, the most frequent type first; empty if there are none.

    For example `50 files of other types ignored: .heic 40, .nef 10; 2 system folders ignored`.
    """
    kinds = {kind: count for kind, count in ignored.items() if kind not in (HIDDEN, LINKED_AGAIN, SYSTEM, OUTPUTS)}
    parts = []
    if kinds:
        total, order = sum(kinds.values()), sorted(kinds, key=lambda kind: (-kinds[kind], kind))
        named = ", ".join(f"{kind} {kinds[kind]:,}" for kind in order[:KINDS_SHOWN])
        named += ", …" if len(order) > KINDS_SHOWN else ""
        parts.append(f"{total:,} file{'s' * (total > 1)} of other types ignored: {named}")
    if folders := ignored.get(SYSTEM, 0):
        parts.append(f"{folders:,} system folder{'s' * (folders > 1)} ignored")
    if places := ignored.get(OUTPUTS, 0):
        parts.append(f"outputs of runs ignored in {places:,} place{'s' * (places > 1)}")
    return "; ".join(parts)


def is_ignored_folder(name: str) -> bool:
    """Return whether a folder of this name is hidden or created by a system, and so not a class."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


class _Walk:
    """One pass over a folder. It is not recursive, because folders may be nested as deep as paths may be long."""

    def __init__(self, folder: Path, ignored: Counter[str], prefix: str, again: dict[str, str]) -> None:
        self._ignored, self._again = ignored, again
        self._seen: dict[tuple[int, int], str] = {}  # the name under which a folder is read
        self._outputs: dict[str, bool] = {}  # whether the target folder of a link is an output of runs
        refuse_outputs(folder)
        self._stack = [self._entries(str(folder), prefix)]
        if is_data_root(str(folder)):
            ignored[OUTPUTS] += 1

    def files(self) -> Iterator[File]:
        while self._stack:
            entry, name = next(self._stack[-1], (None, ""))
            if entry is None:
                self._stack.pop()
            elif entry.name.startswith("."):
                self._ignored[HIDDEN] += 1
            elif _is_folder(entry) and is_ignored_folder(entry.name):
                self._ignored[SYSTEM] += 1  # not listed, since lost+found may be unreadable
            elif _is_folder(entry):
                self._enter(entry, name)
            elif (suffix := _suffix(entry.name)) not in SUFFIXES:
                self._ignored[_kind(entry, suffix)] += 1
            elif entry.is_symlink() and self._links_to_outputs(entry.path):
                self._ignored[OUTPUTS] += 1
            else:
                yield _file(entry, name)

    def _enter(self, entry: os.DirEntry[str], name: str) -> None:
        if is_layer(entry.path):
            return  # of the data_root that the walk began in, which has been counted
        if is_data_root(entry.path):
            _refuse_images_in(entry.path)
            self._ignored[OUTPUTS] += 1
        elif is_image_entry(entry.path) or (entry.is_symlink() and self._links_to_outputs(entry.path)):
            self._ignored[OUTPUTS] += 1
        else:
            self._stack.append(self._entries(entry.path, f"{name}/"))

    def _entries(self, folder: str, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """The entries of a folder in the order of their names, with their full names."""
        try:
            status = os.stat(folder)  # noqa: PTH116
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"folder {shortened(folder)} cannot be read: {reason_of(error)}") from error
        name = prefix.removesuffix("/")
        first = self._seen.setdefault((status.st_dev, status.st_ino), name)
        if first != name:
            self._ignored[LINKED_AGAIN] += 1
            self._again[name] = first
            return iter(())
        return ((entry, prefix + entry.name) for entry in entries)

    def _links_to_outputs(self, link: str) -> bool:
        folder = os.path.dirname(os.path.realpath(link))  # noqa: PTH120
        if folder not in self._outputs:
            self._outputs[folder] = is_among_outputs(folder)
        return self._outputs[folder]


def _suffix(name: str) -> str:
    """`Path.suffix` in lower case."""
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def _kind(entry: os.DirEntry[str], suffix: str) -> str:
    """The reason that an ignored file is counted under. A broken link may have been one to a folder of images."""
    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
        return "broken links"
    return printable(suffix) or "no suffix"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file(entry: os.DirEntry[str], name: str) -> File:
    try:
        return File(name, state_of(entry.stat()))
    except OSError as error:
        return File(name, "", reason_of(error))


def _refuse_images_in(data_root: str) -> None:
    """Raise UserError if a data_root contains images besides its outputs: they may be input images of the user."""
    image = next(walk(Path(data_root), Counter()), None)
    if image is not None:
        raise UserError(
            f"{shortened(data_root)} is a data_root, which is not searched for images, but it contains "
            f"{shortened(image.name)}; move this image to another folder, or choose another data_root for the runs"
        )
