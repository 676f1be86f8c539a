"""Reads and verifies the pixels of a split in an .npy file."""

import math
from hashlib import sha256
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from byol_kedro.files.checked import matches
from byol_kedro.files.integrity import CHANGED, DamagedError, check_file, hash_blocks, unreadable
from byol_kedro.sources.source import Pixels


def stored_pixels(path: Path, shape: tuple[int, ...], labels: npt.NDArray[np.int64], fingerprint: str) -> Pixels:
    """Return the pixels in a file as a read-only memory map (N, 3, H, W) uint8.

    Args:
        path: The file. A large file that has not changed since the last verification is not read again.
        shape: Expected shape.
        labels: Labels (N,) int64, which are a part of the fingerprint.
        fingerprint: Expected SHA-256 (hex) of pixels and labels.

    Raises:
        DamagedError: The file has another fingerprint, shape or type.
    """
    check_file(path)
    pixels = _map(path, shape)
    start = path.stat().st_size - pixels.nbytes

    def compute_hash(path: Path) -> str:
        digest = sha256()
        with path.open("rb") as file:
            file.seek(start)
            hash_blocks(file, pixels.nbytes, digest)
        digest.update(labels.astype("<i8").data)
        return digest.hexdigest()

    try:
        if not matches(path, fingerprint, compute_hash):
            raise DamagedError(path, f"{CHANGED} (fingerprint in {path.with_suffix('.json').name})")
    except OSError as error:
        raise unreadable(path, error) from error
    return pixels


def _map(path: Path, shape: tuple[int, ...]) -> Pixels:
    with path.open("rb") as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise DamagedError(path, "is not an .npy file of this project")
            found, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except (ValueError, SyntaxError, TokenError) as error:
            raise DamagedError(path, "is not an .npy file") from error
        start = file.tell()
    size, expected = path.stat().st_size, start + math.prod(shape)
    if (found, is_fortran, dtype, size) != (shape, False, np.dtype(np.uint8), expected):
        raise DamagedError(
            path,
            f"is truncated or does not match its sidecar: {size} bytes, {dtype} and shape {found} found, {expected} "
            f"bytes, uint8 and shape {shape} expected",
        )
    if size == start:
        return np.zeros(shape, dtype=np.uint8)  # an empty file cannot be mapped
    return np.memmap(path, dtype=np.uint8, mode="r", offset=start, shape=shape)
