"""Explain errors in the files of conf/ that Kedro or OmegaConf could not read."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

EXPECTED = "expected names and values, name: value"
NEWLINE = b"\n"
DUPLICATES = "Duplicate keys found in "  # begins Kedro's error for two files of an environment with the same key


def fault(error: Exception, texts: Mapping[Path, bytes], runtime_params: Mapping[str, Any]) -> str | None:
    """Return a message for the user, or None if `error` is not caused by the files.

    Args:
        error: the error of Kedro's loader.
        texts: the content of each file, in the order in which they are read.
        runtime_params: the parameters of the command line.
    """
    contents: dict[Path, dict[str, Any]] = {}
    for path, text in texts.items():
        content = read_conf(text)
        if isinstance(content, str):
            return f"{path}{content}"
        contents[path] = content
    if str(error).startswith(DUPLICATES):
        return f"{' '.join(str(error).split())}; remove it from one of them"
    if isinstance(error, OmegaConfBaseException):
        names = (error.full_key or "").split(".")
        where = [path for path, content in contents.items() if _has(content, names)] or list(texts)
        return f"{' and '.join(map(str, where))}: {_problem(error)}"
    clash = _clash([*contents.values(), dict(runtime_params)])
    return f"{clash}: a list in one file and a block of names in another; use the form of conf/base" if clash else None


def read_conf(text: bytes) -> dict[str, Any] | str:
    """Return the names and values in a file, interpolations unresolved; or an error message to append to its path."""
    try:
        values: Any = OmegaConf.to_container(OmegaConf.load(io.StringIO(text.decode("utf-8"))))
    except UnicodeDecodeError as error:
        return f"{_line(text, error.start)}: not UTF-8; save the file in UTF-8"
    except YAMLError as error:
        return _syntax(text, error)
    except OmegaConfBaseException as error:
        return f": {_problem(error)}"
    except OSError as error:  # OmegaConf raises it for a file that contains only a number
        return f": {EXPECTED}; {error}"
    strange = ["a list"] if isinstance(values, list) else [f"the name {key!r}" for key in _keys(values)]
    return f": {EXPECTED}; found {strange[0]}" if strange else dict(values)


def _syntax(text: bytes, error: YAMLError) -> str:
    if isinstance(error, ReaderError):
        return f"{_line(text, error.position)}: {error.reason}"
    assert isinstance(error, MarkedYAMLError)
    number = error.problem_mark.line
    tabs = "; indent with spaces, not with tabs" if b"\t" in b"".join(text.split(NEWLINE)[number : number + 1]) else ""
    return f", line {number + 1}: {error.problem}{tabs}"


def _line(text: bytes, position: int) -> str:
    return f", line {len(text[:position].split(NEWLINE))}"


def _problem(error: OmegaConfBaseException) -> str:
    name = f"{error.full_key}: " if error.full_key else ""
    return name + (error.msg or str(error)).splitlines()[0]


def _keys(values: Any) -> Iterator[Any]:
    """Yield the names that are not strings."""
    for key, value in values.items() if isinstance(values, dict) else ():
        if not isinstance(key, str):
            yield key
        yield from _keys(value)


def _has(content: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(content, dict) or name not in content:
            return False
        content = content[name]
    return True


def _clash(layers: Sequence[Any], name: str = "") -> str | None:
    """Return the first name that is a list in one of `layers` and a block in another."""
    blocks = [layer for layer in layers if isinstance(layer, Mapping)]
    if blocks and any(isinstance(layer, list) for layer in layers):
        return name
    for key in dict.fromkeys(key for block in blocks for key in block):
        found = _clash([block[key] for block in blocks if key in block], f"{name}.{key}".removeprefix("."))
        if found:
            return found
    return None
