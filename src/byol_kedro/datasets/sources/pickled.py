"""Reads the data out of a pickle without unpickling it.

A pickle is a program for a small stack machine, two of whose instructions import and call whatever they name. Here a
machine of our own runs it: `pickletools.genops` only takes the file apart, and what a GLOBAL names is a pair of words
that is never imported. Of the calls, the two that NumPy writes for an array are understood, by what they mean; every
other one is refused. So nothing in the file can run, which a restricted `pickle.Unpickler` only promises: it still
imports what its `find_class` lets through, and calls it with arguments from the file.
"""

from collections.abc import Callable
from pathlib import Path
from pickletools import genops
from typing import Any

import numpy as np

from byol_kedro.errors import UserError

_ARRAY = ("numpy.core.multiarray", "_reconstruct")
_TYPE = ("numpy", "dtype")
_MARK = object()


class _Global(tuple[str, str]):
    """Module and name that the file would have imported."""

    __slots__ = ()


class _Called:
    """What a call would have made: an array or its type; `value` comes with its BUILD."""

    def __init__(self, made_by: _Global, arguments: tuple[Any, ...]) -> None:
        self.of = made_by
        self.arguments = arguments
        self.value: Any = None


def read_pickled(path: Path) -> Any:
    """Dicts, lists, tuples, whole numbers and arrays of uint8, as Python 2 wrote them; its strings are bytes.

    Raises UserError when the file holds anything else or is no pickle.
    """
    try:
        machine = _Machine()
        with path.open("rb") as file:
            for opcode, argument, _ in genops(file):
                machine.step(opcode.name, argument)
        (result,) = machine.stack
    except _Refused as error:
        raise UserError(f"{path}: it would run {error}, which is refused; unpack the published archive again") from None
    except Exception as error:  # a broken program fails in any way
        raise UserError(f"{path} is cut or no pickle of arrays; unpack the archive again") from error
    return _plain(result)


class _Refused(Exception):  # noqa: N818  # it names what
    pass


class _Machine:
    """The instructions that Python 2 wrote for such data; any other one is refused."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name](argument))
        elif name in _PUTS:
            self._memo[argument] = self.stack[-1]
        elif name in _GETS:
            self.stack.append(self._memo[argument])
        elif name in _TUPLES:
            self._fold(_TUPLES[name], tuple)
        elif name not in _NOTHING:
            handler: Callable[[], None] | None = getattr(self, f"_{name.lower()}", None)
            if handler is None:
                raise _Refused(f"the instruction {name}")
            handler()

    def _fold(self, count: int, kind: Callable[[list[Any]], Any]) -> None:
        """Replaces the last `count` values by one."""
        cut = len(self.stack) - count
        self.stack[cut:] = [kind(self.stack[cut:])]

    def _since_mark(self) -> list[Any]:
        cut = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        values = self.stack[cut + 1 :]
        del self.stack[cut:]
        return values

    def _mark(self) -> None:
        self.stack.append(_MARK)

    def _tuple(self) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _append(self) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def _appends(self) -> None:
        values = self._since_mark()
        self.stack[-1].extend(values)

    def _setitem(self) -> None:
        key, value = self.stack[-2:]
        del self.stack[-2:]
        self.stack[-1][key] = value

    def _setitems(self) -> None:
        values = self._since_mark()
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def _reduce(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, _Global) or called not in (_ARRAY, _TYPE):
            raise _Refused(".".join(called) if isinstance(called, _Global) else "what is no function")
        self.stack.append(_Called(called, arguments))

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]
        if not isinstance(made, _Called):
            raise _Refused("a change of what is no array")
        if made.of == _ARRAY:
            _, shape, kind, by_columns, content = state
            if kind.arguments[0] != b"u1" or by_columns:
                raise _Refused("an array of other types than uint8, row by row")
            made.value = np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _bytes(text: str) -> bytes:
    """What `genops` shows as Latin-1."""
    return text.encode("latin-1")


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2"), lambda value: value),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), _bytes),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "GLOBAL": lambda names: _Global(names.split(" ", 1)),
}
_PUTS = {"BINPUT", "LONG_BINPUT"}
_GETS = {"BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = {"PROTO", "STOP"}


def _plain(value: Any) -> Any:
    """With arrays in the place of the calls that make them."""
    if isinstance(value, _Called):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
