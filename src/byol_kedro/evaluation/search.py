"""Exact search by cosine similarity in blocks, so that memory does not grow with the number of images searched."""

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from byol_kedro.evaluation.probes.base import Features, Labels

ROWS = 16_384  # 32 MiB of 512 features
QUERIES = 512  # 512 by 16,384 similarities are 32 MiB
EPSILON = 1e-12  # the smallest length that torch.nn.functional.normalize divides by


def search(known: Sequence[Features], queries: Features, count: int) -> tuple[Features, Labels]:
    """The known rows with the largest cosine similarity to each query.

    Args:
        known: Arrays (N, D) float32 of any N; a memory map is read from its file block by block.
        queries: (M, D) float32.
        count: Number of rows to find, at most the number of all known rows.

    Returns:
        Similarities (M, count) float32, the largest first, and rows (M, count) int64, numbered over all of `known`.
    """
    unit = queries / np.maximum(np.linalg.norm(queries, axis=1, keepdims=True), EPSILON)  # (M, D)
    best = np.empty((len(queries), 0), np.float32)
    rows = np.empty((len(queries), 0), np.int64)
    start = 0
    for block in (block for array in known for block in _blocks(array)):
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        similarity = unit @ block.T / np.maximum(lengths, EPSILON)  # (M, n)
        column = _largest(similarity, count)
        best = np.concatenate([best, np.take_along_axis(similarity, column, axis=1)], axis=1)
        rows = np.concatenate([rows, start + column], axis=1)
        kept = _largest(best, count)
        best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
        start += len(block)
    order = np.lexsort((rows, -best), axis=1)
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)


def nearest_others(features: Features, count: int) -> tuple[Features, Labels]:
    """The other rows of features (N, D) with the largest cosine similarity to each row.

    Returns:
        Similarities (N, k) float32, the largest first, and rows (N, k) int64; k is `count`, or N - 1 if that is less.
    """
    total = len(features)
    k = max(0, min(count, total - 1))
    similarity, row = np.empty((total, k), np.float32), np.empty((total, k), np.int64)
    for start in range(0, total if k else 0, QUERIES):
        queries = features[start : start + QUERIES]
        values, rows = search([features], queries, k + 1)
        other = rows != np.arange(start, start + len(queries))[:, None]
        other[other.all(axis=1), -1] = False  # a copy was found in place of the row itself
        similarity[start : start + QUERIES] = values[other].reshape(-1, k)
        row[start : start + QUERIES] = rows[other].reshape(-1, k)
    return similarity, row


def _largest(values: Features, count: int) -> Labels:
    """Columns of the `count` largest of values (M, n), in no order."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.asarray(np.argpartition(values, -count, axis=1)[:, -count:], np.int64)


def _blocks(array: Features) -> Iterator[Features]:
    """Yield at most `ROWS` rows at a time; a block is valid until the next one."""
    if not isinstance(array, np.memmap) or not isinstance(array.base, mmap.mmap) or array.dtype != np.float32:
        yield from (np.asarray(array[start : start + ROWS], np.float32) for start in range(0, len(array), ROWS))
        return
    # Read instead of mapped: pages of a map count as memory of the process, up to the size of the file.
    buffer = np.empty((min(ROWS, len(array)), array.shape[1]), np.float32)
    with Path(str(array.filename)).open("rb", buffering=0) as file:
        file.seek(array.offset)
        for start in range(0, len(array), ROWS):
            block = buffer[: len(array) - start]
            view, done = memoryview(block).cast("B"), 0
            while done < len(view):
                read = file.readinto(view[done:])
                assert read, f"{array.filename} was truncated"
                done += read
            yield block
