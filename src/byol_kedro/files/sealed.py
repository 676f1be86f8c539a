"""Safetensors files whose header has sums of the arrays and of the header itself."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from byol_kedro.files.checked import agrees
from byol_kedro.files.integrity import CHANGED, DamagedError, check_file, hash_blocks, unreadable

Array = npt.NDArray[Any]
FINGERPRINT, DIGEST, PLACE = "fingerprint", "digest", "place"  # of the arrays; of the header; version and file
STORED_AS = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U8": "|u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "|b1",
}  # fmt: skip


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """sha256 (hex) over name, dtype, shape and bytes of each array, in the order of the names."""
    digest = sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(array_title(name, little.dtype.str, little.shape))
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def array_title(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    """What a fingerprint covers of an array besides its bytes; `dtype` as NumPy writes it, little-endian."""
    return f"{name}\0{dtype}\0{shape}\0".encode()


def sealed(header: Mapping[str, str], arrays: Mapping[str, Array], place: str) -> dict[str, str]:
    """The header of a safetensors file with what shows every later change of it, of the arrays or of its place."""
    whole = {**header, FINGERPRINT: fingerprint(arrays), PLACE: place}
    return {**whole, DIGEST: _digest(whole)}


def is_sealed(header: Mapping[str, str]) -> bool:
    """Whether a header claims to be one of this project: others have nothing that could be checked."""
    return FINGERPRINT in header or DIGEST in header


def unsealed(path: Path, header: Mapping[str, str], place: str | None = None) -> dict[str, str]:
    """The header of the file `path` as it was before, with the fingerprint.

    Raises:
        DamagedError: it is another one, or the file was written for another place.
    """
    if not header.keys() >= {FINGERPRINT, DIGEST, PLACE}:
        raise DamagedError(
            path, "has no digest in its header: it was not written by this project, or by an earlier version of it"
        )
    whole = {name: text for name, text in header.items() if name != DIGEST}
    if header[DIGEST] != _digest(whole):
        raise DamagedError(path, "has a header that was changed after it was written")
    if place not in (None, header[PLACE]):
        raise DamagedError(path, f"is {header[PLACE]!r} by its header, {place!r} is expected")
    return {name: text for name, text in whole.items() if name != PLACE}


def check_arrays(path: Path, fingerprint: str) -> None:
    """DamagedError where the arrays of a file are not those of `fingerprint`; read once while it does not change."""
    try:
        if not agrees(path, fingerprint, _stored_fingerprint):
            raise DamagedError(path, f"{CHANGED} ({path.stat().st_size} bytes found)")
    except OSError as error:
        raise unreadable(path, error) from error


def place_of(name: str, path: Path) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    """Where the bytes of an array begin in a file, its dtype and its shape."""
    with path.open("rb") as file:
        start, table = _table(file)
    about = table[name]
    return start + about["data_offsets"][0], np.dtype(STORED_AS[about["dtype"]]), tuple(about["shape"])


def open_tensors(path: Path) -> Any:
    """A safetensors file whose arrays are read when asked for; UserError where it is missing, cut, or no such file."""
    check_file(path)
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        size = path.stat().st_size
        raise DamagedError(path, f"is no safetensors file or is cut ({size} bytes found): {error}") from error


def _table(file: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Where the arrays of a safetensors file begin, and dtype, shape and place of each by its name."""
    # https://huggingface.co/docs/safetensors: the length of a JSON header, the header, then the arrays.
    length = int.from_bytes(file.read(8), "little")
    table = json.loads(file.read(length))
    table.pop("__metadata__", None)
    return 8 + length, table


def _stored_fingerprint(path: Path) -> str:
    """The `fingerprint` of the arrays in a safetensors file; holds no more than a block of them at once."""
    digest = sha256()
    with open_tensors(path), path.open("rb") as file:  # the first sees to it that the table is one
        start, table = _table(file)
        for name in sorted(table):
            about = table[name]
            dtype = STORED_AS.get(about["dtype"], about["dtype"])
            digest.update(array_title(name, dtype, tuple(about["shape"])))
            begin, end = about["data_offsets"]
            file.seek(start + begin)
            hash_blocks(file, end - begin, digest)
    return digest.hexdigest()


def _digest(header: Mapping[str, str]) -> str:
    return sha256(json.dumps(dict(header), sort_keys=True).encode()).hexdigest()
