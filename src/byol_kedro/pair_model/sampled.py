"""Randomly sampled pairs, with a target computed from the two images."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.pair_model.pairs import (
    MIN_VALIDATION_PAIRS,
    TEST,
    TEST_FRACTION,
    TRAIN,
    VALIDATION,
    ConcatArray,
    Rows,
    Values,
    chunks,
    held_out_mask,
    pair_table,
    split_by_pair,
)
from byol_kedro.pair_model.similarity import pair_psnr, pair_ssim

if TYPE_CHECKING:
    from byol_kedro.parameters import Pairs

CANDIDATES = 4  # sampled for each balanced pair, to fill the tails of the range
BINS = 20  # equal parts of the range of the target
TAIL = 0.005  # fraction of candidates at either end that does not extend the range, since outliers would stretch it


def distinct_pairs(count: int, images: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Sample at most `count` distinct unordered pairs of different images: (2, P) int64.

    Pairs are numbered along the lower triangle, (1,0), (2,0), (2,1), (3,0), …, and numbers are sampled without
    replacement. P is smaller than `count` if fewer pairs exist.
    """
    possible = images * (images - 1) // 2
    number = generator.choice(possible, min(count, possible), replace=False)
    left = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) // 2).astype(np.int64)
    return np.stack([left, number - left * (left - 1) // 2])


def balance_over_range(values: Values, count: int, generator: np.random.Generator) -> Rows:
    """Rows of at most `count` of the values (n,), the same number from each of the `BINS` parts of their range.

    If a part has too few values, the rest is taken evenly from the other parts.
    """
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    part = np.digitize(values, np.linspace(low, high, BINS + 1)[1:-1])
    order = generator.permutation(len(values))
    turn = pd.Series(part[order]).groupby(part[order]).cumcount().to_numpy()
    return np.asarray(order[np.argsort(turn, kind="stable")[:count]], np.int64)


def sample_pairs(names: Sequence[str], train: int, values: ConcatArray, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """Sample `pairs.count` pairs, a fifth of them test pairs.

    The target is 1/(2 PSNR in dB), 1 − SSIM or 1 − cosine. With the split by image, no image is in pairs of two splits.

    Args:
        names: names of N images; the first `train` are train images.
        train: number of train images.
        values: pixels (N, 3, H, W) uint8 for `psnr` and `ssim`; features (N, D) float32 of another encoder for
            `cosine`.
        pairs: the parameter block `pair_model.pairs`.
        seed: seed of the sampling.

    Returns:
        The columns of `COLUMNS`. A split with fewer than two images has no pairs.
    """
    generator = np.random.default_rng(seed)
    measure, target_of = MEASURES[pairs.target], TARGETS[pairs.target]
    sampled = []
    for name, images, wanted in _groups(len(names), train, pairs, generator):
        factor = CANDIDATES if pairs.balanced else 1
        left, right = images[distinct_pairs(factor * wanted, len(images), generator)]
        measured = measure(values, left, right)
        balanced = pairs.balanced and len(left) > 0
        kept = balance_over_range(target_of(measured), wanted, generator) if balanced else np.arange(len(left))
        sampled.append((left[kept], right[kept], measured[kept], np.full(len(kept), name, dtype="<U10")))
    left, right, measured, split = (np.concatenate(columns) for columns in zip(*sampled, strict=True))
    if pairs.split == "pair":
        split = split_by_pair(len(left), pairs.validation, generator)
    psnrs = (measured, measured) if pairs.target == "psnr" else None
    return pair_table(names, left, right, target_of(measured), split, psnrs)


def _groups(images: int, train: int, pairs: "Pairs", generator: np.random.Generator) -> list[tuple[str, Rows, int]]:
    """Split, its images (as rows), and the number of pairs to sample among them."""
    every = np.arange(images)
    if pairs.split == "pair":
        return [("", every, pairs.count)]
    tests = round(TEST_FRACTION * pairs.count)
    validations = round(pairs.validation * (pairs.count - tests))
    chosen = held_out_mask(train, pairs.validation, generator)
    if validations < MIN_VALIDATION_PAIRS or chosen.sum() < 2 or (~chosen).sum() < 2:
        return [(TRAIN, every[:train], pairs.count - tests), (TEST, every[train:], tests)]
    return [
        (TRAIN, every[:train][~chosen], pairs.count - tests - validations),
        (VALIDATION, every[:train][chosen], validations),
        (TEST, every[train:], tests),
    ]


def cosine_distance(features: ConcatArray, left: Rows, right: Rows) -> Values:
    """1 − cosine of `features[left[i]]` and `features[right[i]]` for every i, 1 if one of them is 0: (P,) float64."""
    distance = np.empty(len(left))
    for rows in chunks(len(left)):
        a, b = (features[side[rows]].astype(np.float64) for side in (left, right))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        distance[rows] = 1 - np.einsum("pd,pd->p", a, b) / np.where(lengths > 0, lengths, 1)
    return distance.clip(0)


MEASURES: dict[str, Callable[[ConcatArray, Rows, Rows], Values]] = {
    "psnr": pair_psnr,
    "ssim": pair_ssim,
    "cosine": cosine_distance,
}
# The target, which increases with the difference of two images, as a function of the measured value.
TARGETS: dict[str, Callable[[Values], Values]] = {
    "psnr": lambda decibel: 1 / (2 * decibel),
    "ssim": lambda similarity: 1 - similarity,
    "cosine": lambda distance: distance,
}
