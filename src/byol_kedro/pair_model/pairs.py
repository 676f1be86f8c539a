"""Pairs of images with a target, and the features of their images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.log import Brief

COLUMNS = ["left", "right", "target", "psnr_1", "psnr_2", "split"]
SPLITS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
TEST_FRACTION = 0.2  # of the pairs, where the images do not determine the split
MIN_VALIDATION_PAIRS = 10  # fewer pairs are too few for early stopping
CHUNK = 4096  # pairs or images processed at once

Rows = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConcatArray:
    """Arrays that are read as one, concatenated along the first axis.

    `array[rows]` copies only the requested rows (P,) int64, so a part may be a memory map.

    Attributes:
        parts: at least one array; all shapes are equal except for the first dimension.
    """

    parts: Sequence[NDArray[Any]]

    def __len__(self) -> int:
        """Number of rows of all parts."""
        return sum(len(part) for part in self.parts)

    def __getitem__(self, rows: Rows) -> NDArray[Any]:
        """Copy of the rows (P,) int64, in the given order."""
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])  # without a second copy
        copied = np.empty((len(rows), *self.parts[0].shape[1:]), self.parts[0].dtype)
        start = 0
        for part in self.parts:
            here = (rows >= start) & (rows < start + len(part))
            copied[here] = part[rows[here] - start]
            start += len(part)
        return copied


@dataclass(frozen=True, eq=False, repr=False)
class ImagePool(Brief):
    """All images that pairs may refer to.

    The scaler and the principal components are fitted on all train images. The images of the train pairs alone would
    depend on the number of pairs, the seed and the split, which by pair includes test images.

    Attributes:
        names: `names[i]` is the image of `features[i]`.
        features: (D,) float32 for each image.
        train: (N, D) float32, the features of all train images, whether or not a pair refers to them.
    """

    names: Sequence[str]
    features: ConcatArray
    train: NDArray[np.float32]

    @cached_property
    def scaler(self) -> Scaler:
        """Scaler fitted on the features of the train images."""
        return Scaler.fit(self.train)


@dataclass(frozen=True, eq=False)
class PairSet:
    """The pairs of one split as rows of features.

    Attributes:
        features: (N, D) float32.
        left: (P,) int64 rows of `features`.
        right: (P,) int64 rows of `features`.
        target: (P,) float64.
    """

    features: NDArray[np.float32]
    left: Rows
    right: Rows
    target: Values


def chunks(count: int) -> Iterator[slice]:
    """Slices of at most `CHUNK` rows that cover 0 to `count`.

    Intermediate results for all pairs at once could be larger than the features.
    """
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))


def pair_set(table: pd.DataFrame, split: str, pool: ImagePool) -> PairSet:
    """Select the pairs of `split` and the features that they use.

    Args:
        table: the columns of `COLUMNS`; all image names are in `pool`.
        split: one of `SPLITS`.
        pool: names and features of all images.
    """
    pairs = table[table["split"] == split]
    names = pd.Index(pool.names)
    left, right = (names.get_indexer(pd.Index(pairs[side])).astype(np.int64) for side in ("left", "right"))
    used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    left, right = places.reshape(2, -1)
    return PairSet(pool.features[used], left, right, pairs["target"].to_numpy(np.float64))


def pair_table(
    names: Sequence[str],
    left: Rows,
    right: Rows,
    target: Values,
    split: NDArray[np.str_],
    psnrs: tuple[Values, Values] | None = None,
) -> pd.DataFrame:
    """The columns of `COLUMNS`, one row for each of the P pairs.

    Args:
        names: names of all images.
        left: (P,) rows of `names`.
        right: (P,) rows of `names`.
        target: (P,) float64.
        split: (P,) names of splits.
        psnrs: two arrays (P,) in dB, NaN in the table if None.
    """
    every = np.asarray(names, dtype=object)
    psnr_1, psnr_2 = psnrs or (np.full(len(left), np.nan),) * 2
    columns = (every[left], every[right], target, psnr_1, psnr_2, split)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return table.astype({"left": "str", "right": "str", "split": "str"})


def empty_pair_table() -> pd.DataFrame:
    """The columns of `pair_table` without rows."""
    rows, values = np.zeros(0, np.int64), np.zeros(0)
    return pair_table([], rows, rows, values, np.zeros(0, "<U10"))


def held_out_mask(images: int, share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) bool, True for the randomly drawn `share` of the images that is held out."""
    chosen = np.zeros(images, np.bool_)
    chosen[generator.permutation(images)[: round(share * images)]] = True
    return chosen


def split_by_pair(count: int, validation: float, generator: np.random.Generator) -> NDArray[np.str_]:
    """(P,) names of splits, drawn for each pair independently of its images.

    This is the published split. Most images of a test pair occur in train pairs too.
    """
    split = np.full(count, TRAIN, dtype="<U10")
    order = generator.permutation(count)
    tests = round(TEST_FRACTION * count)
    validations = round(validation * (count - tests))
    split[order[:tests]] = TEST
    if validations >= MIN_VALIDATION_PAIRS:
        split[order[tests : tests + validations]] = VALIDATION
    return split
