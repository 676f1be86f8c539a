"""Paths that a user has typed, or has written into a file of conf/."""

import re
from os import PathLike, fspath
from pathlib import Path, PureWindowsPath

from byol_kedro.errors import UserError

ADDRESS = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.:-]*://")


def expand(text: str) -> str:
    """A path of this machine, with the home folder for a `~` at its beginning.

    A relative one whose first name has a colon begins with `./` afterwards: Kedro takes `run:1` for an address.

    Raises:
        ValueError: it is empty or an address, begins or ends with a blank, or nobody has the home folder of `~name`.
    """
    if text != text.strip() or not text:
        raise ValueError("a path is expected that neither begins nor ends with a blank")
    if ADDRESS.match(text):
        raise ValueError("a path on this machine is expected, such as /disks/new, no address")
    try:
        path = str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        raise ValueError(f"there is no such home folder; for a folder of this name type ./{text}") from None
    if ":" in path.split("/", 1)[0]:
        path = f"./{path}"
    if "\\" in path and PureWindowsPath(f"{path}/a/b").drive:  # Kedro would turn the backslashes around
        raise ValueError("a path with / between its names is expected")
    return path


def expanded(path: str | PathLike[str], name: str) -> Path:
    """As `expand`, of what the argument or the option `name` gives. Raises UserError where it is no path."""
    try:
        return Path(expand(fspath(path)))
    except ValueError as reason:
        raise UserError(f"{name}: found {fspath(path)!r}: {reason}") from None
