"""Alternative parameters: the one that is given last replaces the others."""

from collections.abc import Iterable, Mapping
from typing import Any

from byol_kedro.parameters import ALTERNATIVES
from byol_kedro.runs.command_line import flat


def keep_last_given(values: dict[str, Any], layers: Iterable[Mapping[str, Any]]) -> None:
    """Set the parameters of each group in `ALTERNATIVES` to None that a later layer replaces.

    Two that the same layer gives remain, for the validation to refuse.

    Args:
        values: the merged layers as nested blocks; changed in place.
        layers: what was merged, in this order: the files of base and of the environment, then the command line. It is
            only read if two parameters of a group have a value.
    """
    for group in ALTERNATIVES:
        if len(_given(values, group)) < 2:
            continue
        last = next(filter(None, (_given(layer, group) for layer in reversed(list(layers)))), list(group))
        for name in set(group).difference(last):
            *blocks, parameter = name.split(".")
            block = values
            for part in blocks:
                block = block[part]
            block[parameter] = None


def _given(values: Mapping[str, Any], group: Iterable[str]) -> list[str]:
    """Return the parameters of `group` that have a value; on the command line `null` means none."""
    found = dict(flat(values))
    return [name for name in group if found.get(name) not in (None, "null")]
