"""Small text files that come with images."""

import re
import unicodedata
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.sources.walk import printable


def read_lines(path: Path) -> list[str]:
    """The lines of a text in UTF-8, without the mark that Windows puts in front. UserError for other encodings."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8 (byte {error.start}); save it as UTF-8") from None
    # `splitlines` would also split at a form feed and at Unicode's line separators, and shift the lines after them.
    return re.split(r"\r\n|\n|\r", text.removesuffix("\n").removesuffix("\r")) if text else []


def read_class_names(path: Path) -> list[str]:
    """The names in a file, one a line, as those of folders are taken; empty lines do not count."""
    lines = (unicodedata.normalize("NFC", line.strip()) for line in read_lines(path))
    return [printable(line) for line in lines if line]


def check_distinct(path: Path, names: list[str]) -> None:
    """UserError where two classes have one name: what is counted by it would be counted together."""
    for number, name in enumerate(names):
        if names.index(name) != number:
            raise UserError(
                f"{path}: classes {names.index(name)} and {number} are both named {name}; give each a name of its own"
            )
