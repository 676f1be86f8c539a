"""Pairs of pictures with a target, split by picture: no picture of a test pair occurs in a training pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.errors import UserError
from byol_kedro.evaluation.psnr import pair_psnr
from byol_kedro.log import get_logger

logger = get_logger(__name__)

COLUMNS = ["left", "right", "target", "psnr_1", "psnr_2", "split"]
TEST_PART = 5  # one pair in five is a test pair


@dataclass(frozen=True)
class PairSet:
    """The pairs of one split as rows of its features.

    features: (N, D) float32; left, right: (P,) int64 rows of it; target: (P,) float64.
    """

    features: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    target: NDArray[np.float64]


def pair_set(table: pd.DataFrame, split: str, names: Sequence[str], features: NDArray[np.float32]) -> PairSet:
    """The pairs of `split` in `table`; `names[i]` is the picture of `features[i]` and covers all of them."""
    pairs = table[table["split"] == split]
    rows = pd.Index(names)
    left, right = (rows.get_indexer(pd.Index(pairs[side])).astype(np.int64) for side in ("left", "right"))
    return PairSet(features, left, right, pairs["target"].to_numpy(np.float64))


def distinct_pairs(count: int, pictures: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(2, P) int64: at most `count` different unordered pairs of `pictures` pictures, none with itself.

    Pairs are numbered along the lower triangle, (1,0), (2,0), (2,1), (3,0), …, and numbers are drawn without
    replacement. P is smaller than `count` where there are not so many pairs.
    """
    possible = pictures * (pictures - 1) // 2
    number = generator.choice(possible, min(count, possible), replace=False)
    left = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) // 2).astype(np.int64)
    return np.stack([left, number - left * (left - 1) // 2])


def drawn_pairs(
    train: tuple[Sequence[str], NDArray[np.uint8]],
    test: tuple[Sequence[str], NDArray[np.uint8]],
    count: int,
    seed: int,
) -> pd.DataFrame:
    """`count` drawn pairs, four fifths within train and one fifth within test; psnr_1 = psnr_2 = their PSNR.

    train, test: names and pixels (N, 3, H, W) uint8. Returns the columns of `COLUMNS`; PSNR in dB.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for split, (names, pixels), wanted in (
        ("train", train, count - count // TEST_PART),
        ("test", test, count // TEST_PART),
    ):
        left, right = distinct_pairs(wanted, len(names), generator)
        psnr = pair_psnr(pixels, left, right)
        every = np.asarray(names, dtype=object)
        parts.append(_table(every[left], every[right], psnr, psnr, split))
    return pd.concat(parts, ignore_index=True)


def named_pairs(pair_file: pd.DataFrame, train: Sequence[str], test: Sequence[str]) -> pd.DataFrame:
    """The pairs of a user's file whose pictures are both in `train` or both in `test`.

    pair_file: left, right (a picture's name or its bare file stem), psnr_1, psnr_2 (dB, with a positive sum).
    Returns the columns of `COLUMNS` with full names. What is left out is counted and logged: names that no
    picture or more than one has, pairs between train and test, pairs of a picture with itself.
    Raises UserError when no training pair is left.
    """
    names = np.asarray([*train, *test], dtype=object)
    rows = _rows_by_name(names)
    left, right = (_positions(pair_file[side], rows) for side in ("left", "right"))
    known = (left >= 0) & (right >= 0)
    same_split = (left < len(train)) == (right < len(train))
    kept = known & same_split & (left != right)
    _log_left_out(pair_file, left, right, known, same_split)
    left, right = left[kept], right[kept]
    split = np.where(left < len(train), "train", "test")
    if not (split == "train").any():
        raise UserError(
            f"pair_file: none of its {len(pair_file)} pairs lies within the {len(train)} train pictures, found "
            f"{pair_file['left'].iloc[0]!r}, expected names like {train[0]!r} or its last part; name pictures "
            "of images_train, or leave the pair file out to have pairs drawn"
        )
    psnr_1, psnr_2 = (pair_file[column].to_numpy(np.float64)[kept] for column in ("psnr_1", "psnr_2"))
    return _table(names[left], names[right], psnr_1, psnr_2, split)


def _rows_by_name(names: NDArray[np.object_]) -> "pd.Series[int]":
    """Row by full name, then by file name and bare stem where only one picture has it."""
    paths = [PurePosixPath(name) for name in names]
    full = pd.Series(np.arange(len(names)), index=names)
    short = pd.Series(
        np.tile(np.arange(len(names)), 2), index=[path.name for path in paths] + [path.stem for path in paths]
    )
    owners = short.groupby(level=0).agg(["min", "max"])
    alone: pd.Series[int] = owners.loc[owners["min"] == owners["max"], "min"]
    rows: pd.Series[int] = pd.concat([full, alone[~alone.index.isin(full.index)]])
    return rows


def _positions(names: "pd.Series[str]", rows: "pd.Series[int]") -> NDArray[np.int64]:
    """The row of each name, -1 where there is none."""
    return np.asarray(names.map(rows).fillna(-1), np.int64)


def _log_left_out(
    pair_file: pd.DataFrame,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    known: NDArray[np.bool_],
    same_split: NDArray[np.bool_],
) -> None:
    total = len(pair_file)
    if not known.all():
        first = int(np.argmin(known))
        example = pair_file["left" if left[first] < 0 else "right"].iloc[first]
        logger.warning(
            "pair_file: %d of %d pairs left out, no picture or more than one has the name (first: %r)",
            (~known).sum(), total, example,
        )  # fmt: skip
    if mixed := int((known & ~same_split).sum()):
        logger.warning("pair_file: %d of %d pairs left out, one picture of train and one of test", mixed, total)
    if selves := int((known & (left == right)).sum()):
        logger.warning("pair_file: %d of %d pairs left out, a picture with itself", selves, total)


def _table(
    left: NDArray[np.object_],
    right: NDArray[np.object_],
    psnr_1: NDArray[np.float64],
    psnr_2: NDArray[np.float64],
    split: str | NDArray[np.str_],
) -> pd.DataFrame:
    """The columns of `COLUMNS`; target = 1/(psnr_1 + psnr_2) as published for the latent MLP."""
    return pd.DataFrame(
        {
            "left": left,
            "right": right,
            "target": 1 / (psnr_1 + psnr_2),
            "psnr_1": psnr_1,
            "psnr_2": psnr_2,
            "split": split,
        },
        columns=COLUMNS,
    ).astype({"left": "str", "right": "str", "split": "str"})
