"""Pairs that are drawn, their target computed from the two images."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.pair_model.pairs import (
    FEWEST,
    TEST,
    TEST_PART,
    TRAIN,
    VALIDATION,
    Values,
    held_out,
    pair_table,
    pieces,
    split_by_pair,
)
from byol_kedro.pair_model.similarity import pair_psnr, pair_ssim
from byol_kedro.pair_model.stack import Rows, Stack

if TYPE_CHECKING:
    from byol_kedro.parameters import Pairs

# Drawn for each pair that is kept: what the tails of the range are filled from.
CANDIDATES = 4
BINS = 20  # equal parts of the range of the target
TAIL = 0.005  # of the candidates at either end of the range, which one odd pair would stretch


def distinct_pairs(count: int, images: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(2, P) int64: at most `count` different unordered pairs of `images` images, none with itself.

    Pairs are numbered along the lower triangle, (1,0), (2,0), (2,1), (3,0), …, and numbers are drawn without
    replacement. P is smaller than `count` where there are not so many pairs.
    """
    possible = images * (images - 1) // 2
    number = generator.choice(possible, min(count, possible), replace=False)
    left = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) // 2).astype(np.int64)
    return np.stack([left, number - left * (left - 1) // 2])


def spread_over_range(values: Values, count: int, generator: np.random.Generator) -> Rows:
    """Rows of at most `count` of the values (n,): as many from each of `BINS` parts of their range as there are.

    What a thin part lacks is taken from the others, from all alike.
    """
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    part = np.digitize(values, np.linspace(low, high, BINS + 1)[1:-1])
    order = generator.permutation(len(values))
    turn = pd.Series(part[order]).groupby(part[order]).cumcount().to_numpy()
    return np.asarray(order[np.argsort(turn, kind="stable")[:count]], np.int64)


def drawn_pairs(names: Sequence[str], train: int, values: Stack, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """`pairs.count` drawn pairs with the columns of `COLUMNS`; a fifth of them are test pairs. One image has none.

    names: N of them, the first `train` are training images. values: for `psnr` and `ssim` pixels
    (N, 3, H, W) uint8, for `cosine` features (N, D) float32 of another encoder. The target is
    1/(2 PSNR in dB), 1 − SSIM or 1 − cosine. Split by image, no image is in pairs of two splits.
    """
    generator = np.random.default_rng(seed)
    measure, target_of = MEASURES[pairs.target], TARGETS[pairs.target]
    drawn = []
    for name, images, wanted in _groups(len(names), train, pairs, generator):
        factor = CANDIDATES if pairs.balanced else 1
        left, right = images[distinct_pairs(factor * wanted, len(images), generator)]
        measured = measure(values, left, right)
        balanced = pairs.balanced and len(left) > 0
        kept = spread_over_range(target_of(measured), wanted, generator) if balanced else np.arange(len(left))
        drawn.append((left[kept], right[kept], measured[kept], np.full(len(kept), name, dtype="<U10")))
    left, right, measured, split = (np.concatenate(columns) for columns in zip(*drawn, strict=True))
    if pairs.split == "pair":
        split = split_by_pair(len(left), pairs.validation, generator)
    psnrs = (measured, measured) if pairs.target == "psnr" else None
    return pair_table(names, left, right, target_of(measured), split, psnrs)


def _groups(images: int, train: int, pairs: "Pairs", generator: np.random.Generator) -> list[tuple[str, Rows, int]]:
    """Split, its images (as rows), and the number of pairs to draw among them."""
    every = np.arange(images)
    if pairs.split == "pair":
        return [("", every, pairs.count)]
    tests = round(TEST_PART * pairs.count)
    validations = round(pairs.validation * (pairs.count - tests))
    chosen = held_out(train, pairs.validation, generator)
    if validations < FEWEST or chosen.sum() < 2 or (~chosen).sum() < 2:
        return [(TRAIN, every[:train], pairs.count - tests), (TEST, every[train:], tests)]
    return [
        (TRAIN, every[:train][~chosen], pairs.count - tests - validations),
        (VALIDATION, every[:train][chosen], validations),
        (TEST, every[train:], tests),
    ]


def cosine_distance(features: Stack, left: Rows, right: Rows) -> Values:
    """1 − cosine of `features[left[i]]` and `features[right[i]]` (D,), 1 where one of them is 0; (P,) float64."""
    distance = np.empty(len(left))
    for rows in pieces(len(left)):
        a, b = (features[side[rows]].astype(np.float64) for side in (left, right))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        distance[rows] = 1 - np.einsum("pd,pd->p", a, b) / np.where(lengths > 0, lengths, 1)
    return distance.clip(0)


MEASURES: dict[str, Callable[[Stack, Rows, Rows], Values]] = {
    "psnr": pair_psnr,
    "ssim": pair_ssim,
    "cosine": cosine_distance,
}
# What grows with the difference of two images, from what was measured.
TARGETS: dict[str, Callable[[Values], Values]] = {
    "psnr": lambda decibel: 1 / (2 * decibel),
    "ssim": lambda similarity: 1 - similarity,
    "cosine": lambda distance: distance,
}
