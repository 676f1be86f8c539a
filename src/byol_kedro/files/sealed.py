"""Safetensors files whose header contains hashes of the arrays and of the header itself."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from byol_kedro.files.checked import matches
from byol_kedro.files.integrity import CHANGED, DamagedError, check_file, hash_blocks, unreadable

Array = npt.NDArray[Any]
FINGERPRINT, DIGEST, PLACE = "fingerprint", "digest", "place"  # hash of the arrays, of the header; version/file
STORED_AS = {
    "F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "|i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U8": "|u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "|b1",
}  # fmt: skip


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 (hex) of name, dtype, shape and bytes of each array, in the order of the names."""
    digest = sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(array_title(name, little.dtype.str, little.shape))
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def array_title(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the part of a fingerprint that identifies an array; `dtype` is NumPy's little-endian code."""
    return f"{name}\0{dtype}\0{shape}\0".encode()


def sealed(header: Mapping[str, str], arrays: Mapping[str, Array], place: str) -> dict[str, str]:
    """Return a header with hashes that reveal any later change of the header, of the arrays, or of the path.

    Args:
        header: The header.
        arrays: The arrays of the file.
        place: Version and file name, see `versioned_name`.
    """
    complete = {**header, FINGERPRINT: fingerprint(arrays), PLACE: place}
    return {**complete, DIGEST: _digest(complete)}


def is_sealed(header: Mapping[str, str]) -> bool:
    """Return whether a header was written by this project; other files have no hashes to check."""
    return FINGERPRINT in header or DIGEST in header


def unsealed(path: Path, header: Mapping[str, str], place: str | None = None) -> dict[str, str]:
    """Verify a header and return the original one, with the fingerprint.

    Args:
        path: The file, for messages.
        header: Its header.
        place: Expected version and file name; not checked if None.

    Raises:
        DamagedError: The header has changed, or the file was written under another name or version.
    """
    if not header.keys() >= {FINGERPRINT, DIGEST, PLACE}:
        raise DamagedError(
            path,
            "has no digest in its header: it was written by an earlier version or another program",
        )
    signed = {name: text for name, text in header.items() if name != DIGEST}
    if header[DIGEST] != _digest(signed):
        raise DamagedError(path, "has a header that has changed since it was written")
    if place not in (None, header[PLACE]):
        raise DamagedError(path, f"is {header[PLACE]!r} according to its header, {place!r} expected")
    return {name: text for name, text in signed.items() if name != PLACE}


def check_arrays(path: Path, fingerprint: str) -> None:
    """Check the arrays of a file; an unchanged file is read only once.

    Raises:
        DamagedError: Their fingerprint is not `fingerprint`.
    """
    try:
        if not matches(path, fingerprint, _stored_fingerprint):
            raise DamagedError(path, f"{CHANGED} ({path.stat().st_size} bytes found)")
    except OSError as error:
        raise unreadable(path, error) from error


def array_location(name: str, path: Path) -> tuple[int, np.dtype[Any], tuple[int, ...]]:
    """Return the offset of an array in a file, its dtype and its shape."""
    with path.open("rb") as file:
        start, table = _table(file)
    entry = table[name]
    return start + entry["data_offsets"][0], np.dtype(STORED_AS[entry["dtype"]]), tuple(entry["shape"])


def open_tensors(path: Path) -> Any:
    """Open a safetensors file; arrays are read on access.

    Raises:
        DamagedError: The file is missing, truncated, or not a safetensors file.
    """
    check_file(path)
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        size = path.stat().st_size
        raise DamagedError(path, f"is truncated or not a safetensors file ({size} bytes found): {error}") from error


def _table(file: BinaryIO) -> tuple[int, dict[str, Any]]:
    """The offset of the first array, and dtype, shape and offsets of each array by name."""
    # https://huggingface.co/docs/safetensors: the length of a JSON header, the header, then the arrays.
    length = int.from_bytes(file.read(8), "little")
    table = json.loads(file.read(length))
    table.pop("__metadata__", None)
    return 8 + length, table


def _stored_fingerprint(path: Path) -> str:
    """The `fingerprint` of the arrays in a file, computed in blocks."""
    digest = sha256()
    with open_tensors(path), path.open("rb") as file:  # the first validates the table
        start, table = _table(file)
        for name in sorted(table):
            entry = table[name]
            dtype = STORED_AS.get(entry["dtype"], entry["dtype"])
            digest.update(array_title(name, dtype, tuple(entry["shape"])))
            begin, end = entry["data_offsets"]
            file.seek(start + begin)
            hash_blocks(file, end - begin, digest)
    return digest.hexdigest()


def _digest(header: Mapping[str, str]) -> str:
    return sha256(json.dumps(dict(header), sort_keys=True).encode()).hexdigest()
