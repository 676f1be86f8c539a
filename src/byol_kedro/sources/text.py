"""Small text files that belong to the images."""

import re
import unicodedata
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.sources.walk import printable


def read_text(path: Path) -> str:
    """Return a UTF-8 text, without a byte order mark.

    Raises:
        UserError: The file cannot be read or has another encoding.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text, without a byte order mark.

    Raises:
        UserError: The file has another encoding.
    """
    text = read_text(path)
    # `splitlines` would also split at a form feed and at Unicode line separators, and shift the following lines.
    return re.split(r"\r\n|\n|\r", text.removesuffix("\n").removesuffix("\r")) if text else []


def read_class_names(path: Path) -> list[str]:
    """Return the class names in a file, one per line, normalized like folder names; empty lines are skipped."""
    lines = (unicodedata.normalize("NFC", line.strip()) for line in read_lines(path))
    return [printable(line) for line in lines if line]


def check_distinct(path: Path, names: list[str]) -> None:
    """Check that no two classes have the same name.

    Raises:
        UserError: Two classes have the same name, so their results could not be told apart.
    """
    for number, name in enumerate(names):
        if names.index(name) != number:
            raise UserError(
                f"{path}: classes {names.index(name)} and {number} are both named {name}; give them different names"
            )
