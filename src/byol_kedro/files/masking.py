"""Masks secrets in addresses, for terminals, logs, manifests and reports."""

import re
from collections.abc import Mapping
from typing import Any

STARS = "***"
ADDRESS = r"([A-Za-z][A-Za-z0-9+.-]*://)"
# In a word of a command, an address ends at the next parameter; in a text, at a space or a quote.
IN_WORD = re.compile(ADDRESS + r"(.*?)(?=(?<!\\),[A-Za-z_][\w.]*=|\Z)", re.DOTALL)
IN_TEXT = re.compile(ADDRESS + r"([^\s'\"]*?)(?=(?<!\\),[A-Za-z_][\w.]*=|[:;,.)\]}]*(?:[\s'\"]|\Z))")
PARTS = re.compile(r"(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<query>(?:\?[^#]*)?)(?P<fragment>(?:#.*)?)", re.DOTALL)
HOST = re.compile(r"(\[[0-9a-fA-F:.]*\]|[^:@\[\]]*)(:[0-9]*)?")


def masked(word: str) -> str:
    """Replace user, password and query values in an address, or in one word of a command, by `***`.

    >>> masked("https://me:secret@host/a.tar.gz?token=abc&part=1")
    'https://***@host/a.tar.gz?token=***&part=***'
    """
    return IN_WORD.sub(_mask, word)


def masked_address(value: str) -> str:
    """Mask an address like `masked`, even if it has no scheme."""
    return masked(value) if "://" in value else masked(f"x://{value}").removeprefix("x://")


def masked_text(text: str) -> str:
    """Mask all addresses in a command or a sentence like `masked`."""
    return IN_TEXT.sub(_mask, text)


def masked_values(values: Any) -> Any:
    """Mask all texts in nested JSON values."""
    if isinstance(values, Mapping):
        return {name: masked_values(value) for name, value in values.items()}
    if isinstance(values, list):
        return [masked_values(value) for value in values]
    if isinstance(values, str):
        return masked(values) if IN_WORD.match(values) else masked_text(values)
    return values


def _mask(address: re.Match[str]) -> str:
    scheme, rest = address.groups()
    parts = PARTS.fullmatch(rest)
    assert parts is not None
    _, at, host = parts["host"].rpartition("@")
    # The password contains a slash or a question mark, so its end is ambiguous.
    if "@" in rest and (not HOST.fullmatch(host) or ("@" in rest[len(parts["host"]) :] and (at or ":" in host))):
        return scheme + STARS
    query = re.sub(r"[^?&;=]+(=?)[^&;]*", _pair, parts["query"])
    fragment = f"#{STARS}" if parts["fragment"] else ""
    return f"{scheme}{STARS + at if at else ''}{host}{parts['path']}{query}{fragment}"


def _pair(pair: re.Match[str]) -> str:
    name, equals, _ = pair.group().partition("=")
    return f"{name}={STARS}" if equals else STARS
