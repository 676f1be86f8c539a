"""Groups of images that are the same but for small changes, such as compression, size, brightness or a crop."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array  # type: ignore[import-untyped]  # ships no types
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]  # ships no types

from byol_kedro.evaluation.duplicates import NEAR, ROWS, Hashes, alike
from byol_kedro.evaluation.probes.base import Features, Labels

Pairs = NDArray[np.int64]
# Chosen, for pairs with distant hashes: the smallest cosine similarity, and how many nearest images count as nearest.
MIN_SIMILARITY, NEAREST = 0.9, 3


class ImageSequence(Protocol):
    """Images (3, H, W) uint8 by row."""

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]:
        """The pixels of an image."""
        ...


def near_hash_pairs(hashes: Hashes) -> Pairs:
    """All pairs (n, 2) of rows of hashes (N,) that differ in at most `NEAR` bits."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(hashes), ROWS):
        # Only later rows, so that each pair is found once.
        bits = np.bitwise_count(hashes[start : start + ROWS, None] ^ hashes[start:])
        found.append(start + np.argwhere(np.triu(bits <= NEAR, 1)))
    return np.concatenate(found)


def mutual_neighbor_pairs(similarity: Features, neighbor: Labels) -> Pairs:
    """Pairs (n, 2) of rows that are among the `NEAREST` of each other, the most similar first.

    Args:
        similarity: Cosine similarities (N, k) of the nearest rows, in descending order.
        neighbor: Their row numbers (N, k).
    """
    row, column = np.nonzero(similarity[:, :NEAREST] >= MIN_SIMILARITY)
    pairs = np.sort(np.stack([row, neighbor[row, column]], axis=1), axis=1)
    ordered, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    mutual = counts == 2
    order = np.argsort(-similarity[row, column][first[mutual]], kind="stable")
    return np.asarray(ordered[mutual][order], np.int64)


def verified(pairs: Pairs, images: ImageSequence) -> Pairs:
    """The pairs whose pixels agree (`duplicates.alike`), directly or after a flip; pairs that follow are skipped.

    A pair follows if other pairs connect its images already.
    """
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.get(row, row)) != row:
            row = above
        return row

    kept = []
    for a, b in pairs.tolist():
        if root(a) == root(b):
            continue
        if alike(images[a], images[b]) or alike(images[a], images[b][:, :, ::-1]):
            parent[root(a)] = root(b)
            kept.append((a, b))
    return np.array(kept, np.int64).reshape(-1, 2)


def groups(pairs: Pairs, count: int) -> Labels:
    """The group (count,) of each row, numbered from 0 in the order of the rows; -1 for a row in no pair."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    member = np.isin(np.arange(count), pairs)
    _, numbers = np.unique(component[member], return_inverse=True)
    result = np.full(count, -1, np.int64)
    result[member] = numbers
    return result
