"""Objects that are told in one line, however much is in them: a notebook shows what a cell ends with."""

import dataclasses
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, cast

SHOWN = 3  # of a list; how many there are is said
WIDTH = 60  # characters of one value


class Brief:
    """A base of dataclasses that are made with `repr=False`."""

    def __repr__(self) -> str:
        fields = dataclasses.fields(cast("Any", self))
        told = (f"{field.name}={brief(getattr(self, field.name))}" for field in fields)
        return f"{type(self).__name__}({', '.join(told)})"


def brief(value: Any) -> str:
    """Dtype and shape of an array, the first of a list or the first names of a mapping, and how many; else its repr."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, str) or not isinstance(value, Collection):
        text = " ".join(repr(value).split())
        return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
    shown = ", ".join(map(str if isinstance(value, Mapping) else brief, islice(value, SHOWN)))
    more = f", … ({len(value):,})" if len(value) > SHOWN else ""
    return f"{{{shown}{more}}}" if isinstance(value, Mapping) else f"[{shown}{more}]"
