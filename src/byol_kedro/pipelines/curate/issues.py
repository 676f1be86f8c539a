"""The issues of each kind."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from byol_kedro.datasets.raw import RawImages
from byol_kedro.evaluation.duplicates import perceptual_hash
from byol_kedro.evaluation.label_issues import confident_learning, confused_classes, cross_validated
from byol_kedro.evaluation.near_duplicates import groups, mutual_neighbor_pairs, near_hash_pairs, verified
from byol_kedro.evaluation.pixel_issues import DARK, EMPTY, OUTLIER, modified_z, pixel_measures
from byol_kedro.evaluation.probes.base import Labels
from byol_kedro.files.decode import FORMATS
from byol_kedro.log import get_logger
from byol_kedro.pipelines.curate.pool import ImagePool, Neighbors
from byol_kedro.pipelines.curate.table import Issue

BATCH = 512
# Pairs that are verified, at milliseconds each: with near hashes, and with similar features, the most similar first.
MAX_PAIRS, MAX_SIMILAR = 20_000, 3_000
SIMILAR_CLASSES = 0.25  # chosen: half of the error of guessing

log = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Quality:
    """Issues of single images, and which of all images (N,) are empty."""

    issues: list[Issue]
    empty: NDArray[np.bool_]


def quality_issues(pool: ImagePool, raw_images: RawImages) -> Quality:
    """Empty, dark, blurred and tiny images."""
    starts = range(0, len(pool), BATCH)
    parts = [pixel_measures(np.stack([pool[row] for row in _rows(pool, start)])) for start in starts]
    if not parts:
        return Quality([], np.zeros(0, np.bool_))
    measures = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    empty, dark = measures["contrast"] < EMPTY, measures["bright"] < DARK
    blur = -modified_z(measures["sharp"])
    # Sharpness is noise where there is nothing to see.
    blurred = (blur > OUTLIER) & ~empty & ~dark
    found = [
        *_issues(pool, "empty", empty, 1 - measures["contrast"] / EMPTY),
        *_issues(pool, "dark", dark & ~empty, 1 - measures["bright"] / DARK),
        *_issues(pool, "blurred", blurred, blur),
        *_tiny(pool, raw_images),
    ]
    return Quality(found, empty)


def duplicate_issues(pool: ImagePool, empty: NDArray[np.bool_], neighbors: Neighbors) -> tuple[list[Issue], Labels]:
    """Near duplicates, and the group (N,) of each image; -1 without one."""
    # All empty images are the same, which is no news.
    rows = np.flatnonzero(~empty)
    parts = [perceptual_hash(np.stack([pool[row] for row in rows[i : i + BATCH]])) for i in range(0, len(rows), BATCH)]
    hashes = np.concatenate([np.zeros(0, np.uint64), *parts])
    near = rows[near_hash_pairs(hashes)]
    if len(near) > MAX_PAIRS:
        log.warning("of %s pairs with near hashes only %s are verified", f"{len(near):,}", f"{MAX_PAIRS:,}")
    similar = mutual_neighbor_pairs(neighbors.similarity, neighbors.row)
    similar = similar[~empty[similar].any(axis=1)][:MAX_SIMILAR]
    group = groups(verified(np.concatenate([near[:MAX_PAIRS], similar]), pool), len(pool))
    hash_of = np.zeros(len(pool), np.uint64)
    hash_of[rows] = hashes
    found = []
    for number in range(group.max(initial=-1) + 1):
        members = np.flatnonzero(group == number)
        bits = np.bitwise_count(hash_of[members, None] ^ hash_of[members]).astype(np.int64)
        np.fill_diagonal(bits, 64)
        splits = " and ".join(dict.fromkeys(pool.split[member] for member in members))
        for member, nearest in zip(members, bits.min(axis=1), strict=True):
            related = tuple(pool.names[other] for other in members if other != member)
            score = 1 - float(nearest) / 64
            found.append(
                Issue(pool.names[member], pool.split[member], "near_duplicate", score, related, splits, number)
            )
    return found, group


def outlier_issues(pool: ImagePool, neighbors: Neighbors) -> list[Issue]:
    """Images far from all others: the distance to the k-th neighbor (Sun et al., arXiv 2204.06507) is an outlier."""
    if not neighbors.similarity.shape[1]:
        return []
    distance = np.maximum(1 - neighbors.similarity[:, -1].astype(np.float64), 1e-6)
    far = modified_z(np.log(distance)) > OUTLIER
    return list(_issues(pool, "outlier", far, distance))


def class_and_label_issues(pool: ImagePool, group: Labels, folds: int, cs: list[float], seed: int) -> list[Issue]:
    """Suspicious labels and classes that are nearly the same; none without two classes of labeled images."""
    labeled = np.flatnonzero(pool.labels[: len(pool.features)] >= 0)
    y = pool.labels[labeled]
    if len(np.unique(y)) < 2 or len(y) < 2 * folds:
        log.info("no labels of two classes: suspicious labels and similar classes are left out")
        return []
    names = pool.class_names
    probabilities = cross_validated(pool.features[labeled], y, len(names), cs, folds, seed, group[labeled])
    found = confident_learning(probabilities, y)
    suspicious = [
        Issue(
            pool.names[labeled[row]], pool.split[labeled[row]], "suspicious_label", float(found.score[row]),
            detail=f"labeled {names[y[row]]}, more likely {names[found.likely[row]]}",
        )
        for row in np.flatnonzero(found.suspicious)
    ]  # fmt: skip
    classes = [
        Issue(names[a], "", "similar_classes", error, (names[b],), f"confused in {error:.0%}; 50% is chance")
        for a, b, error in confused_classes(probabilities, y)
        if error >= SIMILAR_CLASSES
    ]
    return [*suspicious, *classes]


def _tiny(pool: ImagePool, raw_images: RawImages) -> Iterator[Issue]:
    """Files whose shorter side is less than that of the decoded image, of the source folder on a local disk."""
    root = raw_images.root
    if raw_images.source != "folder" or not isinstance(root, Path) or not root.is_dir():
        return
    size = max(images.pixels.shape[-1] for images in pool.images.values())
    for name, split in zip(pool.names, pool.split, strict=True):
        try:
            with Image.open(root / name, formats=FORMATS) as image:
                width, height = image.size
        except Exception:  # noqa: BLE001, S112  # the file has gone or changed since it was ingested
            continue
        if min(width, height) < size:
            score = 1 - min(width, height) / size
            yield Issue(name, split, "tiny", score, detail=f"{width} × {height} pixels, enlarged to {size}")


def _issues(pool: ImagePool, kind: str, chosen: NDArray[np.bool_], score: NDArray[np.float64]) -> Iterator[Issue]:
    for row in np.flatnonzero(chosen):
        yield Issue(pool.names[row], pool.split[row], kind, float(score[row]))


def _rows(pool: ImagePool, start: int) -> range:
    return range(start, min(start + BATCH, len(pool)))
