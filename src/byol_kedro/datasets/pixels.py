"""Writes the pixels of a stream, and takes those that have not changed from the version before."""

import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.decode import NarrowPixels, UnreadableImage
from byol_kedro.sources.stream import ImageStream, Pixels

PIECE = 2_000_000  # bytes of old pixels at once


@dataclass(frozen=True, eq=False)
class Written:
    """What came of a stream: the images that could be read, and why the others could not.

    kept: (M,) int64, their positions in the stream. narrow: (M,) bool, whether the range of their values does not fit.
    broken: the reason by the name. taken_over: how many of the images are those of the last version.
    """

    kept: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.bool_]
    broken: dict[str, str]
    fingerprint: str
    taken_over: int


@dataclass(frozen=True, eq=False)
class Before:
    """The images of the last version, with their keys (N, 16) uint8 and whether each is narrow, (N,) bool."""

    pixels: Pixels
    keys: Pixels
    narrow: npt.NDArray[np.bool_]

    def rows(self, keys: Pixels) -> npt.NDArray[np.int64]:
        """For each key its row here, or -1."""
        row = {key.tobytes(): number for number, key in enumerate(self.keys)}
        return np.array([row.get(key.tobytes(), -1) for key in keys], dtype=np.int64)


def write_pixels(file: BinaryIO, data: ImageStream, before: Before | None) -> Written:
    """Writes the .npy piece by piece. UserError when the stream gives another number than it said."""
    _write_header(file, data, data.count)
    rows_before = None if before is None or data.keys is None else before.rows(data.keys)
    digest, position = sha256(), 0
    broken: dict[int, str] = {}
    narrow = np.zeros(data.count, np.bool_)
    if before is not None and rows_before is not None:
        narrow[rows_before >= 0] = before.narrow[rows_before[rows_before >= 0]]
    # Hashing takes as long as turning and writing; it lets go of the interpreter's lock meanwhile.
    with ThreadPoolExecutor(max_workers=1) as beside:
        hashed = beside.submit(lambda: None)
        for batch in _batches(data, before, rows_before):
            if isinstance(batch, UnreadableImage):
                broken[position] = str(batch)
                position += 1
                continue
            assert batch.shape[1:] == data.shape[1:], f"{batch.shape} in a stream of {data.shape}"
            assert batch.dtype == np.uint8, batch.dtype
            rows = np.ascontiguousarray(batch)
            hashed.result()
            hashed = beside.submit(digest.update, rows.data)
            file.write(rows.data)
            narrow[position : position + len(batch)] |= isinstance(batch, NarrowPixels)
            position += len(batch)
    if position != data.count:
        raise UserError(
            f"source {data.source} gave {position} images, {data.count} expected; "
            "if its files changed while they were read, run ingest again"
        )
    kept = np.setdiff1d(np.arange(data.count), list(broken))
    if broken:
        file.seek(0)
        _write_header(file, data, len(kept))
    digest.update(np.ascontiguousarray(data.labels[kept], dtype="<i8").data)
    reasons = {data.names[number]: reason for number, reason in broken.items()}
    taken_over = 0 if rows_before is None else int((rows_before >= 0).sum())
    return Written(kept, narrow[kept], reasons, digest.hexdigest(), taken_over)


def _write_header(file: BinaryIO, data: ImageStream, count: int) -> None:
    """The same number of bytes for every count: NumPy leaves room for the first axis to grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *data.shape[1:])}
    np.lib.format.write_array_header_1_0(file, header)


def _batches(
    data: ImageStream, before: Before | None, rows: npt.NDArray[np.int64] | None
) -> Iterator[Pixels | UnreadableImage]:
    if before is None or rows is None:
        yield from data.batches() if data.keys is None else data.batches(np.arange(data.count))
        return
    fresh = chain.from_iterable(
        [batch] if isinstance(batch, UnreadableImage) else batch[:, None]
        for batch in data.batches(np.flatnonzero(rows < 0))
    )
    at_once = max(1, PIECE // (3 * data.side**2))
    edges = np.flatnonzero(np.diff(rows < 0)) + 1
    for run in np.split(rows, edges):
        if len(run) and run[0] < 0:
            yield from islice(fresh, len(run))
        else:
            for start in range(0, len(run), at_once):
                yield before.pixels[run[start : start + at_once]]
                if isinstance(before.pixels.base, mmap.mmap):
                    # What was read of the map would go on counting as this process's memory.
                    before.pixels.base.madvise(mmap.MADV_DONTNEED)
