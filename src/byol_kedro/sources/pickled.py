"""Reads arrays out of a pickle without running what it says.

A pickle is a program that calls whatever it names. `pickle.Unpickler` runs it here with a `find_class` that knows the
few names of NumPy's arrays ("Restricting Globals" in Python's documentation). What it gives for them is not NumPy's,
which trusts what it is told of types, shapes and buffers, but stand-ins that check it.
"""

import pickle
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from pickletools import genops
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.sources.walk import printable

_WHOLE_NUMBERS = re.compile("[iu][1248]")
_ORDERS = ("<", ">", "=", "|")
_SHOWN = 60  # letters of a name


def read_pickled(path: Path) -> Any:
    """Dicts, lists, tuples, numbers, text and, as values of the outermost dict, arrays of whole numbers.

    Of any protocol, as Python 2 or 3 and NumPy 1 or 2 write it; strings of Python 2 are bytes. Raises UserError when
    the file holds anything else or is no pickle.
    """
    content = path.read_bytes()
    try:
        _check_memo(content)
        return _with_arrays(_Reader(content).load())
    except _Refused as error:
        raise UserError(
            f"{path}: it would run {error}, which is refused; unpack the published archive again, or save a dict of "
            "a list `labels` and a NumPy array `data`"
        ) from None
    except Exception as error:  # a broken program fails in any way
        raise UserError(f"{path} is cut or no pickle of arrays; unpack the archive again") from error


class _Refused(Exception):  # noqa: N818  # it names what
    pass


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content), encoding="bytes")
        # For each file anew: what a file does to one of them ends with it.
        self._known = _stand_ins(len(content))

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full not in self._known:
            raise _Refused(printable(full)[:_SHOWN])
        return self._known[full]


def _stand_ins(size: int) -> dict[str, Callable[..., Any] | None]:
    """What is called in the place of the names in a file of `size` bytes. Closures, which hold no other function."""
    left = size

    def encode(text: str, encoding: str | bytes) -> bytes:
        """Bytes, which Python 3 writes as text up to protocol 2; all of them together are no longer than the file."""
        nonlocal left
        left -= len(text)
        if left < 0 or _text(encoding) != "latin1":
            raise _Refused("_codecs.encode on other text than its own")
        return text.encode("latin1")

    def dtype(code: str | bytes, *_: Any) -> _Type:
        return _Type(code)

    def reconstruct(*_: Any) -> _Array:
        return _Array()

    def from_buffer(content: bytes, kind: _Type, shape: Any, order: Any, *_: Any) -> _Array:
        if order not in ("C", "F"):
            raise _Refused("an array whose axes are exchanged")
        made = _Array()
        made.array = kind.read(content).reshape(shape, order=order)
        return made

    def scalar(kind: _Type, content: bytes) -> int:
        return int(kind.read(content).item())

    return {
        "_codecs.encode": encode,
        "numpy.dtype": dtype,
        "numpy.ndarray": None,  # an argument, never called
        "numpy.core.multiarray._reconstruct": reconstruct,
        "numpy.core.multiarray.scalar": scalar,
        "numpy.core.numeric._frombuffer": from_buffer,
    }


class _Type:
    """A type of whole numbers; `code` is NumPy's, `<i8`."""

    __slots__ = ("code",)

    def __init__(self, code: str | bytes) -> None:
        self.code = _text(code)
        if not _WHOLE_NUMBERS.fullmatch(self.code):
            raise _Refused(f"an array of other types than whole numbers ({printable(self.code)[:_SHOWN]})")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, below, names, fields, *_ = state
        if _text(order) not in _ORDERS or (below, names, fields) != (None, None, None):
            raise _Refused("an array of other types than whole numbers (with fields)")
        self.code = _text(order) + self.code[-2:]

    def read(self, content: bytes) -> npt.NDArray[Any]:
        """(N,), the bytes themselves and no copy of them."""
        return np.frombuffer(content, dtype=self.code)


class _Array:
    """Where an array will be; `array` comes with its state."""

    __slots__ = ("array",)

    array: npt.NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, content = state
        self.array = kind.read(content).reshape(shape, order="F" if by_columns else "C")


def _with_arrays(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: value.array if isinstance(value, _Array) else value for key, value in content.items()}
    return content


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _check_memo(content: bytes) -> None:
    """Refuses numbers, under which something is kept to be used again, that are larger than that of the instruction.

    The unpickler makes room for all numbers below: five bytes would take 32 GB. A length beyond the end of the file is
    found here, too, before room is made for it.
    """
    for number, (opcode, argument, _) in enumerate(genops(content)):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > number:
            raise _Refused("out of memory")
