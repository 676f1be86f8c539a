"""Reads arrays from a pickle without running code from the file.

A pickle is a program that can call any function by name. Here it runs in a `pickle.Unpickler` whose `find_class` knows
only the names that NumPy arrays need ("Restricting Globals" in Python's documentation). Behind these names are
stand-ins that validate their arguments: NumPy's own functions trust the types, shapes and sizes in the file.
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

_INTEGERS = re.compile("[iu][1248]")
_BYTE_ORDERS = ("<", ">", "=", "|")
_SHOWN = 60  # characters of a name in a message


def read_pickled(path: Path) -> Any:
    """Read a pickle of dicts, lists, tuples, numbers and text, with integer arrays as values of the outermost dict.

    Every pickle protocol is supported, as written by Python 2 or 3 and NumPy 1 or 2; Python 2 strings become bytes.

    Raises:
        UserError: The file contains anything else or is not a pickle.
    """
    content = path.read_bytes()
    try:
        _check_memo(content)
        return _with_arrays(_RestrictedUnpickler(content).load())
    except _RefusedError as error:
        raise UserError(
            f"{path}: unsafe pickle, refused to load {error}; extract the published archive again, or save a dict of "
            "a list `labels` and a NumPy array `data`"
        ) from None
    except Exception as error:  # a damaged pickle can raise any exception
        raise UserError(f"{path} is truncated or not a pickle of arrays; extract the archive again") from error


class _RefusedError(Exception):
    """The message names what the pickle asked for."""


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes) -> None:
        super().__init__(BytesIO(content), encoding="bytes")
        # New stand-ins for each file: a pickle can change the attributes of a function.
        self._allowed = _allowed_globals(len(content))

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full not in self._allowed:
            raise _RefusedError(printable(full)[:_SHOWN])
        return self._allowed[full]


def _allowed_globals(size: int) -> dict[str, Callable[..., Any] | None]:
    """The stand-ins by name, for a file of `size` bytes. They are closures, so no function can be reached from them."""
    left = size

    def encode(text: str, encoding: str | bytes) -> bytes:
        """Encode bytes that Python 3 writes as text up to protocol 2; in total no more than the file is long."""
        nonlocal left
        left -= len(text)
        if left < 0 or _text(encoding) != "latin1":
            raise _RefusedError("_codecs.encode of anything but its own latin1 text")
        return text.encode("latin1")

    def dtype(code: str | bytes, *_: Any) -> _DType:
        return _DType(code)

    def reconstruct(*_: Any) -> _Array:
        return _Array()

    def from_buffer(content: bytes, dtype: _DType, shape: Any, order: Any, *_: Any) -> _Array:
        if order not in ("C", "F"):
            raise _RefusedError("an array in another order than C or F")
        array = _Array()
        array.values = dtype.read(content).reshape(shape, order=order)
        return array

    def scalar(dtype: _DType, content: bytes) -> int:
        return int(dtype.read(content).item())

    return {
        "_codecs.encode": encode,
        "numpy.dtype": dtype,
        "numpy.ndarray": None,  # passed as an argument, never called
        "numpy.core.multiarray._reconstruct": reconstruct,
        "numpy.core.multiarray.scalar": scalar,
        "numpy.core.numeric._frombuffer": from_buffer,
    }


class _DType:
    """Stands in for an integer dtype; `code` is NumPy's, for example `<i8`."""

    __slots__ = ("code",)

    def __init__(self, code: str | bytes) -> None:
        self.code = _text(code)
        if not _INTEGERS.fullmatch(self.code):
            raise _RefusedError(f"an array of type {printable(self.code)[:_SHOWN]}, integers expected")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, base, names, fields, *_ = state
        if _text(order) not in _BYTE_ORDERS or (base, names, fields) != (None, None, None):
            raise _RefusedError("an array of a structured type, integers expected")
        self.code = _text(order) + self.code[-2:]

    def read(self, content: bytes) -> npt.NDArray[Any]:
        """Return the bytes as an array (N,) without a copy."""
        return np.frombuffer(content, dtype=self.code)


class _Array:
    """Stands in for an array; `values` are set by its state."""

    __slots__ = ("values",)

    values: npt.NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, content = state
        self.values = dtype.read(content).reshape(shape, order="F" if is_fortran else "C")


def _with_arrays(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: value.values if isinstance(value, _Array) else value for key, value in content.items()}
    return content


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _check_memo(content: bytes) -> None:
    """Refuse memo indices that are larger than the number of instructions so far.

    The unpickler allocates its memo up to the largest index: five bytes could take 32 GB. `genops` also raises if a
    length is beyond the end of the file, before memory is allocated for it.
    """
    for number, (opcode, argument, _) in enumerate(genops(content)):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > number:
            raise _RefusedError("a memo that would take too much memory")
