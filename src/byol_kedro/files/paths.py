"""Paths from the command line or from conf/."""

import re
from os import PathLike, fspath
from pathlib import Path, PureWindowsPath

from byol_kedro.errors import UserError

ADDRESS = re.compile(r"file:|[A-Za-z][A-Za-z0-9+.:-]*://")


def expand(text: str) -> str:
    """Return a local path with a leading `~` expanded.

    A relative path whose first name contains a colon gets a leading `./`, because Kedro reads `run:1` as an address.

    Raises:
        ValueError: The path is empty, an address, or starts or ends with a space, or the user of `~name` is unknown.
    """
    if text != text.strip() or not text:
        raise ValueError("a path must not be empty, nor start or end with a space")
    if ADDRESS.match(text):
        raise ValueError("a local path such as /disks/new expected, not an address")
    try:
        path = str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        raise ValueError(f"unknown home folder; for a folder of this name use ./{text}") from None
    if ":" in path.split("/", 1)[0]:
        path = f"./{path}"
    if "\\" in path and PureWindowsPath(f"{path}/a/b").drive:  # Kedro would replace the backslashes
        raise ValueError("a path with / as separator expected")
    return path


def expand_or_address(text: str) -> str:
    """Return an address as it is, such as `s3://bucket/images`, and a local path as `expand` does.

    Raises:
        ValueError: As in `expand`, or the address has a user, a password or a query, which would be stored with runs.
    """
    scheme, is_address, rest = text.partition("://")
    if not is_address or scheme == "file" or not ADDRESS.match(text):
        return expand(text)
    if text != text.strip() or not rest.strip("/"):
        raise ValueError("an address such as s3://bucket/images expected")
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise ValueError("an address without user, password and query expected; put them into credentials.yml")
    return text


def expanded(path: str | PathLike[str], name: str) -> Path:
    """Expand the path given by an argument or option.

    Args:
        path: The path.
        name: The argument or option, for the message.

    Raises:
        UserError: It is not a local path.
    """
    try:
        return Path(expand(fspath(path)))
    except ValueError as reason:
        raise UserError(f"{name}: {reason}, found {fspath(path)!r}") from None
