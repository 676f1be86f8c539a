"""The image files below a folder."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from byol_kedro.errors import UserError, escaped
from byol_kedro.files.decode import ENDINGS
from byol_kedro.files.user_files import reason_of, state_of
from byol_kedro.sources.outputs import is_among_outputs, is_data_root, is_image_entry, is_layer, refuse_outputs

HIDDEN, SEEN_ALREADY = "hidden", "folders linked a second time"
SYSTEM, OUTPUTS = "system folders", "outputs of runs"
KINDS = 4  # endings that a line names
# Made by Synology, QNAP, NetApp, Windows, macOS and fsck, in lower case: thumbnails, and what somebody has deleted.
SYSTEM_FOLDERS = frozenset({
    "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharebin", "~snapshot",
    "$recycle.bin", "recycler", "recycled", "system volume information",
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "lost+found",
})  # fmt: skip
LONGEST = 200  # letters of a path in a message


class File(NamedTuple):
    """A file that should be an image, by its ending.

    name: its path from the folder on, with slashes. state: of its metadata, as `state_of` says. unreadable: why nothing
    can be known of it, if that is so.
    """

    name: str
    state: str
    unreadable: str = ""


def walk(folder: Path, ignored: Counter[str], above: str = "") -> Iterator[File]:
    """In the order of their names; links are followed, each folder is read once, and what runs have written never.

    above: what their names begin with. ignored: counts what is passed over, by the reason. Raises UserError when a
    folder may not be read, when `folder` is itself of what runs have written, or an image lies in a data_root below it.
    """
    return _Walk(folder, ignored, above).files()


def printable(name: str) -> str:
    """The name without what a terminal, a csv or a parquet cannot hold: `a\\xff\\nb`; two names remain two.

    Names of letters, signs and spaces are unchanged, but for the backslash, which is doubled.
    """
    return escaped(name.replace("\\", r"\\"))


def shortened(name: str) -> str:
    """Printable, and of a long path its two ends."""
    text = printable(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"


def passed_over(ignored: Mapping[str, int]) -> str:
    """`50 files of other kinds passed over: .heic 40, .nef 10; 2 system folders passed over`; empty where none were.

    The most frequent kind comes first.
    """
    kinds = {kind: count for kind, count in ignored.items() if kind not in (HIDDEN, SEEN_ALREADY, SYSTEM, OUTPUTS)}
    parts = []
    if kinds:
        total, order = sum(kinds.values()), sorted(kinds, key=lambda kind: (-kinds[kind], kind))
        named = ", ".join(f"{kind} {kinds[kind]:,}" for kind in order[:KINDS]) + (", …" if len(order) > KINDS else "")
        parts.append(f"{total:,} file{'s' * (total > 1)} of other kinds passed over: {named}")
    if folders := ignored.get(SYSTEM, 0):
        parts.append(f"{folders:,} system folder{'s' * (folders > 1)} passed over")
    if places := ignored.get(OUTPUTS, 0):
        parts.append(f"outputs of runs passed over in {places:,} place{'s' * (places > 1)}")
    return "; ".join(parts)


def is_passed_over(name: str) -> bool:
    """Whether a folder of this name is hidden, or the system's own: it is nobody's class."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


class _Walk:
    """One pass over a folder; it goes as deep as paths may be long, so it does not call itself."""

    def __init__(self, folder: Path, ignored: Counter[str], above: str) -> None:
        self._ignored = ignored
        self._seen: set[tuple[int, int]] = set()
        self._outputs: dict[str, bool] = {}  # whether a folder that links lead into is among them
        refuse_outputs(folder)
        self._here = [self._entries(str(folder), above)]
        if is_data_root(str(folder)):
            ignored[OUTPUTS] += 1

    def files(self) -> Iterator[File]:
        while self._here:
            entry, name = next(self._here[-1], (None, ""))
            if entry is None:
                self._here.pop()
            elif entry.name.startswith("."):
                self._ignored[HIDDEN] += 1
            elif _is_folder(entry) and is_passed_over(entry.name):
                self._ignored[SYSTEM] += 1  # not even looked into: lost+found may not be read
            elif _is_folder(entry):
                self._enter(entry, name)
            elif (ending := _ending(entry.name)) not in ENDINGS:
                self._ignored[_kind(entry, ending)] += 1
            elif entry.is_symlink() and self._leads_to_outputs(entry.path):
                self._ignored[OUTPUTS] += 1
            else:
                yield _file(entry, name)

    def _enter(self, entry: os.DirEntry[str], name: str) -> None:
        if is_layer(entry.path):
            return  # of the data_root that was asked for, which is counted
        if is_data_root(entry.path):
            _refuse_images_in(entry.path)
            self._ignored[OUTPUTS] += 1
        elif is_image_entry(entry.path) or (entry.is_symlink() and self._leads_to_outputs(entry.path)):
            self._ignored[OUTPUTS] += 1
        else:
            self._here.append(self._entries(entry.path, f"{name}/"))

    def _entries(self, folder: str, above: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """In the order of their names, with their names from the first folder on."""
        try:
            here = os.stat(folder)  # noqa: PTH116
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"folder {shortened(folder)} cannot be read: {reason_of(error)}") from error
        if (here.st_dev, here.st_ino) in self._seen:
            self._ignored[SEEN_ALREADY] += 1
            return iter(())
        self._seen.add((here.st_dev, here.st_ino))
        return ((entry, above + entry.name) for entry in entries)

    def _leads_to_outputs(self, link: str) -> bool:
        folder = os.path.dirname(os.path.realpath(link))  # noqa: PTH120
        if folder not in self._outputs:
            self._outputs[folder] = is_among_outputs(folder)
        return self._outputs[folder]


def _ending(name: str) -> str:
    """As `Path.suffix`, in small letters."""
    dot = name.rfind(".")
    return name[dot:].lower() if 0 < dot < len(name) - 1 else ""


def _kind(entry: os.DirEntry[str], ending: str) -> str:
    """What a file without the ending of an image is counted as. A link to nowhere may be one to a folder of images."""
    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110
        return "links that lead nowhere"
    return printable(ending) or "no ending"


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
    """An image beside the outputs is perhaps the user's own: neither to read it nor to leave it out can be right."""
    image = next(walk(Path(data_root), Counter()), None)
    if image is not None:
        raise UserError(
            f"{shortened(data_root)} is a data_root, below which nothing is read as an image, but it holds "
            f"{shortened(image.name)}: move that to another folder, or give the runs another data_root"
        )
