"""Arrays in .npy files or in one .npz, read piece by piece and never unpickled."""

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
    """An array that is read from its beginning on. `member` is its name in an .npz."""

    path: Path
    member: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.path}{f', {self.member}' if self.member else ''}"

    def pieces(self, rows: int) -> Iterator[npt.NDArray[Any]]:
        """Arrays of at most `rows` rows. UserError when the file turns out to be damaged."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        with _open(self.path, self.member) as file:
            _read_header(file)
            for start in range(0, self.shape[0], rows):
                n = min(rows, self.shape[0] - start)
                content = file.read(n * row_bytes)
                if len(content) < n * row_bytes:
                    raise UserError(f"{self} is cut; write it again")
                yield np.frombuffer(content, dtype=self.dtype).reshape(n, *self.shape[1:])

    def whole(self) -> npt.NDArray[Any]:
        return next(self.pieces(max(1, self.shape[0])), np.empty(self.shape, self.dtype))


def find_arrays(root: Path, names: tuple[str, ...]) -> tuple[dict[str, ArrayFile], list[str]]:
    """Those of `names` that are there, and the other arrays that are.

    They are files of `root`, members of the .npz that it is or that alone lies in it, or `unlabeled` as one .npy.
    Raises UserError when `root` is nothing of that kind, or a file is none, cut, or holds objects.
    """
    if root.is_dir():
        shown = (path for path in sorted(root.iterdir()) if path.name[0] != ".")  # macOS: ._train.npy
        files = {path.name: path for path in shown if path.suffix in (".npy", ".npz") and is_regular(path)}
        if len(files) == 1 and (alone := next(iter(files.values()))).suffix == ".npz":
            return find_arrays(alone, names)
        found = {name: _describe(path, None) for name in names if (path := files.pop(f"{name}.npy", None))}
        return found, list(files)
    if root.suffix == ".npy" and is_regular(root, "raw_root"):
        return {"unlabeled": _describe(root, None)}, []
    if root.suffix != ".npz" or not is_regular(root, "raw_root"):
        raise UserError(f"raw_root {root}: a folder of .npy files, an .npy or an .npz expected")
    with _damage_is_named(str(root)), zipfile.ZipFile(root) as archive:
        there = dict.fromkeys(archive.namelist())
    found = {name: _describe(root, name) for name in names if f"{name}.npy" in there}
    return found, [member.removesuffix(".npy") for member in there if member.removesuffix(".npy") not in found]


def _describe(path: Path, member: str | None) -> ArrayFile:
    name = f"{path}{f', {member}' if member else ''}"
    with _open(path, member) as file:
        try:
            shape, by_columns, dtype = _read_header(file)
        except ValueError as error:
            raise UserError(f"{name} is no array as numpy.save writes it ({error})") from None
        found = _size(path, member) - file.tell()
    if dtype.hasobject:
        raise UserError(f"{name} holds Python objects, which would have to be unpickled; numbers expected")
    if by_columns:
        raise UserError(f"{name} is stored column by column; save numpy.ascontiguousarray of it")
    expected = math.prod(shape) * dtype.itemsize  # not np.prod, of which (2**56, 256) is 0
    if found != expected or not shape:
        raise UserError(f"{name}: {found} bytes of data found, {expected} expected for shape {shape}; write it again")
    return ArrayFile(path, member, shape, dtype)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format")
    return _HEADERS[version](file)


@contextmanager
def _open(path: Path, member: str | None) -> Iterator[IO[bytes]]:
    with _damage_is_named(str(path)):
        if member is None:
            with path.open("rb") as file:
                yield file
        else:
            with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as inside:
                yield inside


@contextmanager
def _damage_is_named(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{name} is cut or no .npz file ({error}); write it again") from error
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}") from error


def _size(path: Path, member: str | None) -> int:
    if member is None:
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(f"{member}.npy").file_size
