"""Arrays in .npy files or in an .npz, read in chunks and never unpickled."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.user_files import is_regular

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class ArrayFile:
    """An array in a file.

    Attributes:
        path: The .npy or .npz file.
        member: Its name in the .npz; None for an .npy.
        shape: Shape of the array.
        dtype: Type of the array.
    """

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        """Return the path and the member, for messages."""
        return f"{self.path}{f', {self.member}' if self.member else ''}"

    def chunks(self, rows: int) -> Iterator[npt.NDArray[Any]]:
        """Yield arrays of at most `rows` rows.

        Raises:
            UserError: The file is damaged.
        """
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        with _open(self.path, self.member) as file:
            _read_header(file)
            for start in range(0, self.shape[0], rows):
                n = min(rows, self.shape[0] - start)
                content = file.read(n * row_bytes)
                if len(content) < n * row_bytes:
                    raise UserError(f"{self} is truncated; save it again")
                yield np.frombuffer(content, dtype=self.dtype).reshape(n, *self.shape[1:])

    def read(self) -> npt.NDArray[Any]:
        """Return the whole array."""
        return next(self.chunks(max(1, self.shape[0])), np.empty(self.shape, self.dtype))


def find_arrays(root: Path, names: tuple[str, ...]) -> tuple[dict[str, ArrayFile], list[str]]:
    """Find arrays by name.

    Args:
        root: A folder of .npy files, an .npz or a folder with a single .npz, or one .npy, which is named `unlabeled`.
        names: The names to look for.

    Returns:
        The arrays found, and the names of the other arrays.

    Raises:
        UserError: `root` is something else, or a file is damaged or contains Python objects.
    """
    if root.is_dir():
        visible = (path for path in sorted(root.iterdir()) if path.name[0] != ".")  # macOS: ._train.npy
        files = {path.name: path for path in visible if path.suffix in (".npy", ".npz") and is_regular(path)}
        if len(files) == 1 and (only := next(iter(files.values()))).suffix == ".npz":
            return find_arrays(only, names)
        found = {name: _describe(path, None) for name in names if (path := files.pop(f"{name}.npy", None))}
        return found, list(files)
    if root.suffix == ".npy" and is_regular(root, "raw_root"):
        return {"unlabeled": _describe(root, None)}, []
    if root.suffix != ".npz" or not is_regular(root, "raw_root"):
        raise UserError(f"raw_root {root}: a folder of .npy files, an .npy or an .npz expected")
    with _errors_named(str(root)), zipfile.ZipFile(root) as archive:
        members = dict.fromkeys(archive.namelist())
    found = {name: _describe(root, name) for name in names if f"{name}.npy" in members}
    return found, [member.removesuffix(".npy") for member in members if member.removesuffix(".npy") not in found]


def _describe(path: Path, member: str | None) -> ArrayFile:
    name = f"{path}{f', {member}' if member else ''}"
    with _open(path, member) as file:
        try:
            shape, is_fortran, dtype = _read_header(file)
        except ValueError as error:
            raise UserError(f"{name} is not an .npy array ({error}); save it with numpy.save") from None
        found = _size(path, member) - file.tell()
    if dtype.hasobject:
        raise UserError(f"{name} contains Python objects, which are not unpickled; save an array of numbers")
    if is_fortran:
        raise UserError(f"{name} is in Fortran order; save numpy.ascontiguousarray(array)")
    expected = math.prod(shape) * dtype.itemsize  # not np.prod, of which (2**56, 256) is 0
    if not shape:
        raise UserError(f"{name}: a single value of shape () found, an array with one entry per image expected")
    if found != expected:
        raise UserError(f"{name}: {found} bytes of data found, {expected} expected for shape {shape}; save it again")
    return ArrayFile(path, member, shape, dtype)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"format version {version}")
    return _HEADERS[version](file)


@contextmanager
def _open(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    with _errors_named(str(path)):
        if member is None:
            with path.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as inside:
                yield inside


@contextmanager
def _errors_named(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{name} is truncated or not an .npz file ({error}); save it again") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}") from error


def _size(path: Path, member: str | None) -> int:
    if member is None:
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(f"{member}.npy").file_size
