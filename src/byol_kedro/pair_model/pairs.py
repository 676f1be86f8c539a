"""Pairs of images with a target, and the features that they point at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.log import Brief
from byol_kedro.pair_model.stack import Rows, Stack

COLUMNS = ["left", "right", "target", "psnr_1", "psnr_2", "split"]
SPLITS = TRAIN, VALIDATION, TEST = "train", "validation", "test"
TEST_PART = 0.2  # of the pairs, where the images do not say it
FEWEST = 10  # pairs: fewer held-out ones cannot say when to stop
PIECE = 4096  # pairs or images that are looked at together

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Pool(Brief):
    """Every image that a pair may name: `features[i]` (D,) float32 is of the image `names[i]`.

    train: (N, D) float32, the features of the train images, whichever of them the pairs name. Features are standardized
    and reduced by what is fitted to these alone: the images in the train pairs depend on how many pairs there are, on
    the seed and on the split, which by pair has test images among them.
    """

    names: Sequence[str]
    features: Stack
    train: NDArray[np.float32]

    @cached_property
    def scaler(self) -> Scaler:
        """Of the features of the train images."""
        return Scaler.fit(self.train)


@dataclass(frozen=True, eq=False)
class PairSet:
    """The pairs of one split as rows of features.

    features: (N, D) float32; left, right: (P,) int64 rows of it; target: (P,) float64.
    """

    features: NDArray[np.float32]
    left: Rows
    right: Rows
    target: Values


def pieces(count: int) -> Iterator[slice]:
    """Rows 0 to `count`, some at a time: what is computed of all pairs at once may be larger than the features."""
    return (slice(start, start + PIECE) for start in range(0, count, PIECE))


def pair_set(table: pd.DataFrame, split: str, pool: Pool) -> PairSet:
    """The pairs of `split` in `table`, whose names are all in the pool, with the features that they use."""
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
    """The columns of `COLUMNS`, a row for each of the P pairs; `left`, `right` are rows of `names`, PSNR in dB."""
    every = np.asarray(names, dtype=object)
    psnr_1, psnr_2 = psnrs or (np.full(len(left), np.nan),) * 2
    columns = (every[left], every[right], target, psnr_1, psnr_2, split)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return table.astype({"left": "str", "right": "str", "split": "str"})


def no_pairs() -> pd.DataFrame:
    """The columns of `pair_table` and no rows."""
    rows, values = np.zeros(0, np.int64), np.zeros(0)
    return pair_table([], rows, rows, values, np.zeros(0, "<U10"))


def held_out(images: int, share: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) bool: which images, `share` of them, are kept from training to say when it has to stop."""
    chosen = np.zeros(images, np.bool_)
    chosen[generator.permutation(images)[: round(share * images)]] = True
    return chosen


def split_by_pair(count: int, validation: float, generator: np.random.Generator) -> NDArray[np.str_]:
    """(P,) names of splits drawn pair by pair, as published: most images of a test pair are trained on, too."""
    split = np.full(count, TRAIN, dtype="<U10")
    order = generator.permutation(count)
    tests = round(TEST_PART * count)
    validations = round(validation * (count - tests))
    split[order[:tests]] = TEST
    if validations >= FEWEST:
        split[order[tests : tests + validations]] = VALIDATION
    return split
