"""Test images that are also among those that are trained on."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import numpy as np

from byol_kedro.byol.statistics import chunks
from byol_kedro.datasets.images import Images
from byol_kedro.evaluation.duplicates import NEAR, Hashes, alike, nearest, perceptual_hash
from byol_kedro.log import get_logger

SHOWN = 5  # pairs that the summary names, those that differ least

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Marks:
    """What images are told apart by: sha256 of the pixels and the perceptual hash (N,) of each of `images`."""

    exact: list[bytes]
    perceptual: Hashes
    images: Images

    @classmethod
    def of(cls, images: Images) -> Self:
        """Reads the images once, in pieces."""
        exact: list[bytes] = []
        perceptual = [np.zeros(0, np.uint64)]
        for piece in chunks(images.pixels):
            exact.extend(sha256(image.data).digest() for image in piece)
            perceptual.append(perceptual_hash(piece))
        return cls(exact, np.concatenate(perceptual), images)


def count_seen(unlabeled: Images, train: Images, test: Images) -> dict[str, Any]:
    """For train and for unlabeled: how many test images are also there, `identical` or `near`, and some `pairs`.

    Near are those that are not identical, whose perceptual hash is within `NEAR` bits of one there, and whose pixels
    agree with that one's (`alike`). One line warns where there are any.
    """
    marks = Marks.of(test)
    found = {split: _found(marks, Marks.of(images)) for split, images in (("train", train), ("unlabeled", unlabeled))}
    if any(counts["identical"] or counts["near"] for counts in found.values()):
        words = "; ".join(f"{split}: {c['identical']} identical, {c['near']} near" for split, c in found.items())
        logger.warning(
            "of %s test images some are trained on, or look like one that is (%s); see data_summary",
            f"{len(test):,}",
            words,
        )
    return found


def _found(test: Marks, other: Marks) -> dict[str, Any]:
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
