"""Finds test images that are also training images, and identical images of different classes."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import numpy as np

from byol_kedro.byol.statistics import chunks
from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.duplicates import NEAR, Hashes, alike, nearest, perceptual_hash
from byol_kedro.log import get_logger
from byol_kedro.sources.source import UNKNOWN_LABEL

SHOWN = 5  # pairs in the summary, the most similar first

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class ImageHashes:
    """SHA-256 of the pixels and perceptual hash (N,) of each of `images`."""

    exact: list[bytes]
    perceptual: Hashes
    images: Images

    @classmethod
    def of(cls, images: Images) -> Self:
        """Compute the hashes in batches."""
        exact: list[bytes] = []
        perceptual = [np.zeros(0, np.uint64)]
        for piece in chunks(images.pixels):
            exact.extend(sha256(image.data).digest() for image in piece)
            perceptual.append(perceptual_hash(piece))
        return cls(exact, np.concatenate(perceptual), images)


def contradicting_labels(*splits: ImageHashes) -> dict[str, Any]:
    """Count images that are identical to one of another class, and log a warning if there are any.

    Returns:
        The number of these `images`, of all splits together, and `pairs` that name some of them.
    """
    same: dict[bytes, list[tuple[int, str]]] = {}
    for hashes in splits:
        images = hashes.images
        for digest, label, name in zip(hashes.exact, images.labels, images.names, strict=True):
            if label != UNKNOWN_LABEL:
                same.setdefault(digest, []).append((int(label), f"{name} ({images.class_names[label]})"))
    groups = [group for group in same.values() if len({label for label, _ in group}) > 1]
    pairs = [f"{group[0][1]} {next(text for label, text in group if label != group[0][0])}" for group in groups]
    count = sum(map(len, groups))
    if count:
        logger.warning(
            "%s labeled images are identical to one of another class, see data_summary; for example %s",
            f"{count:,}",
            pairs[0],
        )
    return {"images": count, "pairs": pairs[:SHOWN]}


def count_overlap(unlabeled: ImageHashes, train: ImageHashes, test: ImageHashes) -> dict[str, Any]:
    """Count test images that are also in train or in unlabeled, and log a warning if there are any.

    A near duplicate is not identical, but its perceptual hash differs in at most `NEAR` bits and its pixels are similar
    (`alike`).

    Returns:
        For train and for unlabeled, the numbers of `identical` and of `near` images, and some of the `pairs`.
    """
    others = (("train", train), ("unlabeled", unlabeled))
    found = {split: _overlap(test, hashes) for split, hashes in others}
    if any(counts["identical"] or counts["near"] for counts in found.values()):
        text = "; ".join(f"{split}: {c['identical']} identical, {c['near']} near" for split, c in found.items())
        logger.warning(
            "some of %s test images are also training images, or nearly identical to one (%s), see data_summary",
            f"{len(test.images):,}",
            text,
        )
    return found


def _overlap(test: ImageHashes, other: ImageHashes) -> dict[str, Any]:
    if not len(test.images) or not len(other.images):
        return {"identical": 0, "near": 0, "pairs": []}
    first = {digest: row for row, digest in reversed(list(enumerate(other.exact)))}
    same = np.array([first.get(digest, -1) for digest in test.exact])
    distances, rows = nearest(test.perceptual, other.perceptual)
    near = [
        row
        for row in np.flatnonzero((same < 0) & (distances <= NEAR))
        if alike(test.images.pixels[row], other.images.pixels[rows[row]])
    ]
    identical = [(row, int(same[row]), "identical") for row in np.flatnonzero(same >= 0)]
    close = [(row, int(rows[row]), f"{distances[row]} bits") for row in sorted(near, key=lambda row: distances[row])]
    shown = [f"{test.images.names[a]} {other.images.names[b]} ({how})" for a, b, how in [*identical, *close][:SHOWN]]
    return {"identical": len(identical), "near": len(close), "pairs": shown}
