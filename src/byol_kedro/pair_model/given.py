"""Pairs that somebody else has made, taken apart into training, validation and test pairs."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.pair_model.pairs import (
    FEWEST,
    SPLITS,
    TEST,
    TEST_PART,
    TRAIN,
    VALIDATION,
    Values,
    held_out,
    pair_table,
    split_by_pair,
)
from byol_kedro.pair_model.stack import Rows, Stack

if TYPE_CHECKING:
    from byol_kedro.parameters import Pairs

logger = get_logger(__name__)

PSNRS = ["psnr_1", "psnr_2"]
LISTED = 20  # unknown names; the rest are counted


def named_pairs(file: pd.DataFrame, names: Sequence[str], train: int, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """The pairs of a user's file with the columns of `COLUMNS` and full names, split as `pairs.split` says.

    file: left, right (an image's name, or the last part of it, with or without its ending, where one image
    alone has it) and columns of numbers, among them the target; see `target_of`. names: all images, the first
    `train` of them training images. By image, pairs whose two images are of different splits are left out.
    A pair that is given again, in either order, counts once. What is left out is counted and logged, with what remains;
    unknown names are listed. Raises UserError when no training pair is left, or the target is missing, negative or
    always 0.
    """
    target = target_of(file, pairs.column)
    every = np.asarray(names, dtype=object)
    rows = _rows_by_name(every)
    left, right = (_positions(file[side], rows) for side in ("left", "right"))
    known = (left >= 0) & (right >= 0)
    _log_unknown(file, left, right)
    _log_count((known & (left == right)).sum(), len(file), "an image with itself")
    kept = np.flatnonzero(known & (left != right))
    kept = kept[_given_first(left[kept], right[kept], len(file))]
    generator = np.random.default_rng(seed)
    if pairs.split == "pair":
        split = split_by_pair(len(kept), pairs.validation, generator)
    else:
        group = np.where(np.arange(len(names)) < train, TRAIN, TEST).astype("<U10")
        split = split_by_image(left[kept], right[kept], group, pairs.validation, generator, len(file))
        kept, split = kept[split != ""], split[split != ""]
    if not (split == TRAIN).any():
        raise UserError(
            f"pair_file: none of its {len(file)} pairs lies within the {train} train images, found "
            f"{file['left'].iloc[0]!r}, expected names like {names[0]!r} or its last part; name images "
            "of images_train, or leave the pair file out to have pairs drawn"
        )
    _log_kept(split, len(file))
    psnrs = tuple(file[column].to_numpy(np.float64)[kept] for column in PSNRS) if set(PSNRS) <= set(file) else None
    return pair_table(names, left[kept], right[kept], target[kept], split, psnrs)  # type: ignore[arg-type]  # of two


def saved_images(x1: NDArray[np.float32], x2: NDArray[np.float32]) -> tuple[NDArray[np.float32], Rows, Rows]:
    """The different rows (M, D) of x1 and x2 (P, D), and which of them the left and the right ones (P,) are.

    Rows that are equal to the last bit are one image: features of a frozen encoder.
    """
    marks = np.array([hash(row.tobytes()) for x in (x1, x2) for row in x], dtype=np.int64)
    place, _ = pd.factorize(marks)
    _, first = np.unique(place, return_index=True)
    features = Stack([x1, x2])[first]
    left, right = np.asarray(place, np.int64).reshape(2, -1)
    return features, left, right


def saved_pairs(left: Rows, right: Rows, target: Values, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """The pairs of saved features with the columns of `COLUMNS`; images are named by `saved_names`.

    left, right, target: (P,). A pair that is given again, in either order, counts once. By image, a fifth of the
    images is kept for test pairs; pairs of two splits are left out and counted.

    Raises UserError when no training pair is left.
    """
    given, first = len(left), _given_first(left, right, len(left))
    left, right, target = left[first], right[first], target[first]
    generator = np.random.default_rng(seed)
    names = saved_names(int(max(left.max(), right.max())) + 1)
    if pairs.split == "pair":
        split = split_by_pair(len(left), pairs.validation, generator)
    else:
        group = np.where(held_out(len(names), TEST_PART, generator), TEST, TRAIN).astype("<U10")
        split = split_by_image(left, right, group, pairs.validation, generator, given)
    kept = split != ""
    if not (split == TRAIN).any():
        raise UserError(
            f"pair_tensors: none of its {given} pairs is a training pair once {len(names)} images are split by "
            "image; take --params pair_model.pairs.split=pair"
        )
    _log_kept(split[kept], given)
    return pair_table(names, left[kept], right[kept], target[kept], split[kept])


def saved_names(count: int) -> list[str]:
    """Names for images of which nothing but the features is known."""
    return [f"pairs.pt/{number:06}" for number in range(count)]


def target_of(file: pd.DataFrame, column: str | None) -> Values:
    """(P,) float64: the column that is named, else `target` where there is one, else 1/(psnr_1 + psnr_2).

    The last is published for the latent MLP. Raises UserError where it is missing, negative or always 0.
    """
    if column is None and "target" not in file and set(PSNRS) <= set(file):
        return np.asarray(1 / (file["psnr_1"] + file["psnr_2"]), np.float64)
    chosen = column or "target"
    if chosen not in file:
        there = [str(name) for name in file if name not in ("left", "right")]
        raise UserError(
            f"pair_file: there is no column {chosen!r} of numbers, found {', '.join(there) or 'none'}; give the "
            "target's with --params pair_model.pairs.column=…"
        )
    target = file[chosen].to_numpy(np.float64)
    if (target < 0).any() or not target.any():
        raise UserError(
            f"pair_file: the target {chosen!r} goes from {target.min():g} to {target.max():g}, but a distance is "
            "fitted to it: it must be 0 or more, and not always 0"
        )
    return target


def split_by_image(
    left: Rows, right: Rows, group: NDArray[np.str_], validation: float, generator: np.random.Generator, given: int
) -> NDArray[np.str_]:
    """The split of each pair (P,); empty where its images are of two splits. Logs how many of `given` these are.

    group: (N,) `train` or `test` for each image. A share of the training images is held out for validation,
    unless fewer than `FEWEST` pairs lie within it: then all training pairs are trained on.
    """
    training = np.flatnonzero(group == TRAIN)
    divided = group.copy()
    divided[training[held_out(len(training), validation, generator)]] = VALIDATION
    if ((divided[left] == VALIDATION) & (divided[right] == VALIDATION)).sum() < FEWEST:
        divided = group
    split = np.where(divided[left] == divided[right], divided[left], "")
    for one, other in ((TRAIN, TEST), (VALIDATION, TEST), (TRAIN, VALIDATION)):
        across = np.isin(divided[left], (one, other)) & np.isin(divided[right], (one, other)) & (split == "")
        _log_count(across.sum(), given, f"one image of {one} and one of {other}")
    return np.asarray(split)


def _rows_by_name(names: NDArray[np.object_]) -> "pd.Series[int]":
    """Row by full name, then by file name and bare stem where only one image has it."""
    paths = [PurePosixPath(name) for name in names]
    full = pd.Series(np.arange(len(names)), index=names)
    short = pd.Series(
        np.tile(np.arange(len(names)), 2), index=[path.name for path in paths] + [path.stem for path in paths]
    )
    owners = short.groupby(level=0).agg(["min", "max"])
    alone: pd.Series[int] = owners.loc[owners["min"] == owners["max"], "min"]
    rows: pd.Series[int] = pd.concat([full, alone[~alone.index.isin(full.index)]])
    return rows


def _positions(names: "pd.Series[str]", rows: "pd.Series[int]") -> Rows:
    """The row of each name, -1 where there is none."""
    return np.asarray(names.map(rows).fillna(-1), np.int64)


def _log_unknown(file: pd.DataFrame, left: Rows, right: Rows) -> None:
    unknown = pd.unique(pd.concat([file.loc[left < 0, "left"], file.loc[right < 0, "right"]]))
    if len(unknown):
        shown = ", ".join(map(repr, unknown[:LISTED]))
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        pairs = int(((left < 0) | (right < 0)).sum())
        logger.warning(
            "%d of %d given pairs left out, no image or more than one has one of %d names: %s%s",
            pairs, len(file), len(unknown), shown, more,
        )  # fmt: skip


def _given_first(left: Rows, right: Rows, given: int) -> Rows:
    """The pairs (P,) without those that were given before, in either order: they could be in train and in test.

    Logs how many of all `given` ones these are.
    """
    both = np.sort(np.stack([left, right], axis=1), axis=1)
    _, first = np.unique(both, axis=0, return_index=True)
    _log_count(len(left) - len(first), given, "given before")
    return np.sort(first)


def _log_kept(split: NDArray[np.str_], given: int) -> None:
    if len(split) < given:
        counts = ", ".join(f"{(split == name).sum()} {name}" for name in SPLITS)
        logger.info("%d of %d given pairs remain: %s", len(split), given, counts)


def _log_count(count: int, total: int, what: str) -> None:
    if count:
        logger.warning("%d of %d given pairs left out, %s", count, total, what)
