"""Writes the pixels of a stream, and reuses unchanged images of the last version."""

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
from byol_kedro.sources.source import ImageStream, Pixels

BATCH_BYTES = 2_000_000  # of reused pixels


@dataclass(frozen=True, eq=False)
class WrittenImages:
    """The images of a stream that could be read.

    Attributes:
        kept: Their positions in the stream, (M,) int64.
        narrow: Whether they use a small part of their range of values, (M,) bool.
        broken: The other images: the reason by name.
        fingerprint: SHA-256 (hex) of the bytes of the pixels, then of the labels as int64.
        reused: How many images are copied from the last version.
    """

    kept: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.bool_]
    broken: dict[str, str]
    fingerprint: str
    reused: int


@dataclass(frozen=True, eq=False)
class LastImages:
    """The images of the last version, with their keys (N, 16) uint8 and whether each is narrow, (N,) bool."""

    pixels: Pixels
    keys: Pixels
    narrow: npt.NDArray[np.bool_]

    def rows(self, keys: Pixels) -> npt.NDArray[np.int64]:
        """Return the row of each key, or -1, (M,) int64."""
        row = {key.tobytes(): number for number, key in enumerate(self.keys)}
        return np.array([row.get(key.tobytes(), -1) for key in keys], dtype=np.int64)


def write_pixels(file: BinaryIO, data: ImageStream, last: LastImages | None) -> WrittenImages:
    """Write an .npy file in batches.

    Args:
        file: The file, opened for writing.
        data: The images.
        last: The images of the last version; those with an equal key are reused.

    Raises:
        UserError: The stream yields more or fewer images than its index has.
    """
    index = data.index
    _write_header(file, data, data.count)
    last_rows = None if last is None or index.keys is None else last.rows(index.keys)
    digest, position = sha256(), 0
    broken: dict[int, str] = {}
    narrow = np.zeros(data.count, np.bool_)
    if last is not None and last_rows is not None:
        narrow[last_rows >= 0] = last.narrow[last_rows[last_rows >= 0]]
    # Hashing takes as long as transposing and writing, and releases the GIL.
    with ThreadPoolExecutor(max_workers=1) as executor:
        hashed = executor.submit(lambda: None)
        for batch in _batches(data, last, last_rows):
            if isinstance(batch, UnreadableImage):
                broken[position] = str(batch)
                position += 1
                continue
            assert batch.shape[1:] == data.shape[1:], f"{batch.shape} in a stream of {data.shape}"
            assert batch.dtype == np.uint8, batch.dtype
            rows = np.ascontiguousarray(batch)
            hashed.result()
            hashed = executor.submit(digest.update, rows.data)
            file.write(rows.data)
            narrow[position : position + len(batch)] |= isinstance(batch, NarrowPixels)
            position += len(batch)
    if position != data.count:
        raise UserError(
            f"source {data.source.name}: {position} images read, {data.count} expected; "
            "run ingest again if the files changed meanwhile"
        )
    kept = np.setdiff1d(np.arange(data.count), list(broken))
    if broken:
        file.seek(0)
        _write_header(file, data, len(kept))
    digest.update(np.ascontiguousarray(index.labels[kept], dtype="<i8").data)
    reasons = {index.names[number]: reason for number, reason in broken.items()}
    reused = 0 if last_rows is None else int((last_rows >= 0).sum())
    return WrittenImages(kept, narrow[kept], reasons, digest.hexdigest(), reused)


def _write_header(file: BinaryIO, data: ImageStream, count: int) -> None:
    """Write a header whose size does not depend on the count: NumPy pads it so that the first axis can grow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *data.shape[1:])}
    np.lib.format.write_array_header_1_0(file, header)


def _batches(
    data: ImageStream, last: LastImages | None, rows: npt.NDArray[np.int64] | None
) -> Iterator[Pixels | UnreadableImage]:
    if last is None or rows is None:
        yield from data.batches()
        return
    fresh = chain.from_iterable(
        [batch] if isinstance(batch, UnreadableImage) else batch[:, None]
        for batch in data.batches(np.flatnonzero(rows < 0))
    )
    batch_size = max(1, BATCH_BYTES // (3 * data.source.side**2))
    edges = np.flatnonzero(np.diff(rows < 0)) + 1
    for run in np.split(rows, edges):  # alternately new and reused
        if len(run) and run[0] < 0:
            yield from islice(fresh, len(run))
        else:
            for start in range(0, len(run), batch_size):
                yield last.pixels[run[start : start + batch_size]]
                if isinstance(last.pixels.base, mmap.mmap):
                    # Otherwise the pages that were read would count as memory of this process.
                    last.pixels.base.madvise(mmap.MADV_DONTNEED)
    next(fresh, None)  # a source checks at its end how many images were unreadable
