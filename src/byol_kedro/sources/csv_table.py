"""A table of images that lie anywhere: a CSV file with the columns `path`, `label` and `split`.

`raw_root` is the file, or a folder with a single one. A path is relative to the folder of the table. Label and split
are optional; without a split an image is in train.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.remote import RemotePath
from byol_kedro.files.user_files import is_regular, reason_of, state_of
from byol_kedro.parameters import Ingest
from byol_kedro.sources.encoded import FilesSource
from byol_kedro.sources.labeling import Listing, label, split_named, with_test
from byol_kedro.sources.outputs import is_among_outputs
from byol_kedro.sources.text import read_text
from byol_kedro.sources.walk import File, printable

SUFFIXES = (".csv", ".tsv")
# The names of the columns; the first that a table has is used.
PATHS = ("path", "file_name", "filename", "filepath", "file", "image")
LABELS = ("label", "class")
SPLIT_COLUMN = "split"
_DELIMITERS = ",;\t"


class CsvSource(FilesSource):
    """Reads a table. The constructor checks every line; images are decoded when a stream is saved."""

    name = "csv"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Read the table."""
        super().__init__(root, parameters, seed)
        table = find_table(root)
        self.base = table.parent
        listings: dict[str, Listing] = {}
        checked: set[str] = set()  # folders
        states: dict[str, str] = self.base.find() if isinstance(self.base, RemotePath) else {}
        for row in read_rows(table):
            if isinstance(self.base, RemotePath):
                file = _remote_file(row, states)
            else:
                _refuse_outputs(self.base, row, checked)
                file = _file(self.base, row.path)
            listings.setdefault(row.split, Listing()).add(file, row.label)
        self.class_names, found, labels = label(table, with_test(table, listings))
        self._arrange(found, labels)


@dataclass(frozen=True)
class Row:
    """A line of a table: where it is, for messages, and what it says; the split may be `validation`."""

    place: str
    path: str
    label: str | None
    split: str


def find_table(root: Path) -> Path:
    """Return the table: `root`, or the only one in this folder.

    Raises:
        UserError: There is none, or several.
    """
    if isinstance(root, RemotePath):
        return root if root.suffix.lower() in SUFFIXES else _only(root, [root / n for n in root.find() if "/" not in n])
    if not root.is_dir():
        if root.suffix.lower() in SUFFIXES and is_regular(root, "raw_root"):
            return root
        state = "is not a table" if root.exists() else "does not exist"
        raise UserError(f"raw_root {root} {state}; set the .csv file with --params raw_root=...")
    table = _only(root, root.iterdir())
    is_regular(table)
    return table


def _only(root: Path, paths: Iterable[Path]) -> Path:
    found = sorted((path for path in paths if path.suffix.lower() in SUFFIXES and path.name[0] != "."), key=str)
    if len(found) != 1:
        names = f"{', '.join(printable(path.name) for path in found[:3])}{' …' if len(found) > 3 else ''}"
        raise UserError(
            f"raw_root {root} has {f'{len(found)} tables ({names})' if found else 'no .csv file'}, one expected; set "
            "the file with --params raw_root=..."
        )
    return found[0]


def read_rows(table: Path) -> Iterator[Row]:
    """Yield the lines of a table; empty ones are skipped.

    Raises:
        UserError: A column is missing, or a line is not valid.
    """
    text = read_text(table)
    delimiter = max(_DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    first_line: dict[str, int] = {}
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        columns = _columns(table, header)
        for fields in reader:
            place = f"{table}, line {reader.line_num}"
            if not any(map(str.strip, fields)):
                continue
            if len(fields) != len(header):
                raise UserError(f"{place}: {len(fields)} fields found, {len(header)} expected as in the first line")
            row = _row(place, *(fields[column].strip() if column is not None else "" for column in columns))
            before = first_line.setdefault(row.path, reader.line_num)
            if before != reader.line_num:
                raise UserError(f"{place}: {printable(row.path)} is also in line {before}; remove one of them")
            yield row
    except csv.Error as error:
        raise UserError(f"{table}, line {reader.line_num}: {error}; save it as a CSV file") from None


def _columns(table: Path, header: list[str]) -> tuple[int, int | None, int | None]:
    """The positions of path, label and split."""
    path, text, split = (
        next((header.index(name) for name in names if name in header), None)
        for names in (PATHS, LABELS, (SPLIT_COLUMN,))
    )
    if path is None:
        found = ", ".join(map(printable, header[:5])) or "nothing"
        raise UserError(f"{table}: the column path is missing in the first line, found {found}; add a line of names")
    return path, text, split


def _row(place: str, path: str, text: str, split: str) -> Row:
    named = split_named(split) if split else "train"
    if named is None:
        raise UserError(f"{place}: split {printable(split)!r} found, train, test, validation or unlabeled expected")
    if not path or "\0" in path:
        raise UserError(f"{place}: the path {'has a null character' if path else 'is empty'}; a file is expected")
    return Row(place, os.path.normpath(path), text or None, named)


def _file(base: Path, name: str) -> File:
    try:
        return File(name, state_of((base / name).stat()))
    except OSError as error:
        return File(name, "", reason_of(error))


def _remote_file(row: Row, states: Mapping[str, str]) -> File:
    """An image below the address of the table."""
    if row.path.startswith(("/", "..")) or "://" in row.path:
        raise UserError(f"{row.place}: {printable(row.path)}: a path below the folder of the table expected")
    state = states.get(row.path, "")
    return File(row.path, state, "" if state else "No such file or directory")


def _refuse_outputs(base: Path, row: Row, checked: set[str]) -> None:
    folder, _ = os.path.split(base / row.path)
    if folder not in checked and is_among_outputs(os.path.realpath(folder)):
        raise UserError(f"{row.place}: {printable(row.path)} is an output of runs, which are not used as images")
    checked.add(folder)
