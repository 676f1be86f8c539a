"""Pairs from the user's files, split into train, validation and test pairs."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.errors import UserError
from byol_kedro.log import counted, get_logger
from byol_kedro.pair_model.pairs import (
    MIN_VALIDATION_PAIRS,
    SPLITS,
    TEST,
    TEST_FRACTION,
    TRAIN,
    VALIDATION,
    ConcatArray,
    Rows,
    Values,
    held_out_mask,
    pair_table,
    split_by_pair,
)

if TYPE_CHECKING:
    from byol_kedro.parameters import Pairs

logger = get_logger(__name__)

PSNRS = ["psnr_1", "psnr_2"]
MAX_LISTED = 20  # unknown names in a warning; the others are counted


def named_pairs(file: pd.DataFrame, names: Sequence[str], train: int, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """Resolve the names in a pair file and split the pairs.

    Skipped pairs are counted in warnings: pairs with unknown names, which are listed, pairs of an image with itself,
    duplicates in either order and, with the split by image, pairs across two splits.

    Args:
        file: left, right and columns of numbers, among them the target (see `pair_target`). An image is named by its
            full name, or by its file name with or without suffix if that is unique.
        names: names of all images; the first `train` are train images.
        train: number of train images.
        pairs: the parameter block `pair_model.pairs`.
        seed: seed of the split.

    Returns:
        The columns of `COLUMNS` with full names.

    Raises:
        UserError: no train pair remains, or the target is missing, negative or always 0.
    """
    target = pair_target(file, pairs.column)
    rows = _rows_by_name(np.asarray(names, dtype=object))
    left, right = (_positions(file[side], rows) for side in ("left", "right"))
    known = (left >= 0) & (right >= 0)
    _log_unknown(file, left, right)
    _log_count((known & (left == right)).sum(), len(file), "an image with itself")
    kept = np.flatnonzero(known & (left != right))
    kept = kept[_without_duplicates(left[kept], right[kept], len(file))]
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
            f"{file['left'].iloc[0]!r}, expected full names such as {names[0]!r}, or file names; name "
            "images of images_train, or remove the pair file to sample pairs"
        )
    _log_kept(split, len(file))
    psnrs = tuple(file[column].to_numpy(np.float64)[kept] for column in PSNRS) if set(PSNRS) <= set(file) else None
    return pair_table(names, left[kept], right[kept], target[kept], split, psnrs)  # type: ignore[arg-type]  # of two


def unique_images(x1: NDArray[np.float32], x2: NDArray[np.float32]) -> tuple[NDArray[np.float32], Rows, Rows]:
    """Identify images by their features.

    Rows that are equal bit for bit are the same image, since the encoder is frozen.

    Args:
        x1: (P, D), features of the left images.
        x2: (P, D), features of the right images.

    Returns:
        The distinct rows (M, D), and the rows of it for the left (P,) and the right (P,) images.
    """
    hashes = np.array([hash(row.tobytes()) for x in (x1, x2) for row in x], dtype=np.int64)
    place, _ = pd.factorize(hashes)
    _, first = np.unique(place, return_index=True)
    features = ConcatArray([x1, x2])[first]
    left, right = np.asarray(place, np.int64).reshape(2, -1)
    return features, left, right


def saved_pairs(left: Rows, right: Rows, target: Values, pairs: "Pairs", seed: int) -> pd.DataFrame:
    """Split the pairs of saved features.

    Duplicates in either order are skipped. With the split by image, a fifth of the images is held out for test pairs,
    and pairs across two splits are skipped. Skipped pairs are counted in warnings.

    Args:
        left: (P,) numbers of the left images.
        right: (P,) numbers of the right images.
        target: (P,).
        pairs: the parameter block `pair_model.pairs`.
        seed: seed of the split.

    Returns:
        The columns of `COLUMNS`; images are named by `saved_names`.

    Raises:
        UserError: no train pair remains.
    """
    given, first = len(left), _without_duplicates(left, right, len(left))
    left, right, target = left[first], right[first], target[first]
    generator = np.random.default_rng(seed)
    names = saved_names(int(max(left.max(), right.max())) + 1)
    if pairs.split == "pair":
        split = split_by_pair(len(left), pairs.validation, generator)
    else:
        group = np.where(held_out_mask(len(names), TEST_FRACTION, generator), TEST, TRAIN).astype("<U10")
        split = split_by_image(left, right, group, pairs.validation, generator, given)
    kept = split != ""
    if not (split == TRAIN).any():
        raise UserError(
            f"pair_tensors: none of its {given} pairs is a train pair after the split of {len(names)} images by image; "
            "use --params pair_model.pairs.split=pair"
        )
    _log_kept(split[kept], given)
    return pair_table(names, left[kept], right[kept], target[kept], split[kept])


def saved_names(count: int) -> list[str]:
    """Names of the images of saved features."""
    return [f"pairs.pt/{number:06}" for number in range(count)]


def pair_target(file: pd.DataFrame, column: str | None) -> Values:
    """The target (P,) float64 of the pairs in a file.

    This is the named column, else `target` if it exists, else the published 1/(psnr_1 + psnr_2).

    Raises:
        UserError: the target is missing, negative or always 0.
    """
    if column is None and "target" not in file and set(PSNRS) <= set(file):
        return np.asarray(1 / (file["psnr_1"] + file["psnr_2"]), np.float64)
    chosen = column or "target"
    if chosen not in file:
        found = [str(name) for name in file if name not in ("left", "right")]
        raise UserError(
            f"pair_file: there is no column {chosen!r} of numbers, found {', '.join(found) or 'none'}; name the column "
            "of the target with --params pair_model.pairs.column=…"
        )
    target = file[chosen].to_numpy(np.float64)
    if (target < 0).any() or not target.any():
        raise UserError(
            f"pair_file: the target {chosen!r} ranges from {target.min():g} to {target.max():g}, but a distance is "
            "fitted to it: it must be 0 or more, and not always 0"
        )
    return target


def split_by_image(
    left: Rows, right: Rows, group: NDArray[np.str_], validation: float, generator: np.random.Generator, given: int
) -> NDArray[np.str_]:
    """The split of each pair (P,), empty for pairs across two splits, which are counted in warnings.

    A share of the train images is held out for validation, unless fewer than `MIN_VALIDATION_PAIRS` pairs would be
    validation pairs.

    Args:
        left: (P,) rows of the left images.
        right: (P,) rows of the right images.
        group: (N,) `train` or `test` for each image.
        validation: share of the train images.
        generator: source of the held-out images.
        given: number of given pairs, for the warnings.
    """
    training = np.flatnonzero(group == TRAIN)
    divided = group.copy()
    divided[training[held_out_mask(len(training), validation, generator)]] = VALIDATION
    if ((divided[left] == VALIDATION) & (divided[right] == VALIDATION)).sum() < MIN_VALIDATION_PAIRS:
        divided = group
    split = np.where(divided[left] == divided[right], divided[left], "")
    for one, other in ((TRAIN, TEST), (VALIDATION, TEST), (TRAIN, VALIDATION)):
        across = np.isin(divided[left], (one, other)) & np.isin(divided[right], (one, other)) & (split == "")
        _log_count(across.sum(), given, f"one image of {one} and one of {other}")
    return np.asarray(split)


def _rows_by_name(names: NDArray[np.object_]) -> "pd.Series[int]":
    """Row by full name, and by file name and stem if these are unique."""
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
    """The row of each name, -1 if it is unknown."""
    return np.asarray(names.map(rows).fillna(-1), np.int64)


def _log_unknown(file: pd.DataFrame, left: Rows, right: Rows) -> None:
    unknown = pd.unique(pd.concat([file.loc[left < 0, "left"], file.loc[right < 0, "right"]]))
    if len(unknown):
        shown = ", ".join(map(repr, unknown[:MAX_LISTED]))
        more = f" and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
        pairs = int(((left < 0) | (right < 0)).sum())
        logger.warning(
            "%d of %d given pairs skipped, %s: %s%s",
            pairs, len(file), counted(len(unknown), "unknown or ambiguous name"), shown, more,
        )  # fmt: skip


def _without_duplicates(left: Rows, right: Rows, given: int) -> Rows:
    """Positions of the pairs (P,) without duplicates in either order, which could be in train and test.

    Duplicates are counted in a warning, out of all `given` pairs.
    """
    both = np.sort(np.stack([left, right], axis=1), axis=1)
    _, first = np.unique(both, axis=0, return_index=True)
    _log_count(len(left) - len(first), given, "duplicates")
    return np.sort(first)


def _log_kept(split: NDArray[np.str_], given: int) -> None:
    if len(split) < given:
        counts = ", ".join(f"{(split == name).sum()} {name}" for name in SPLITS)
        logger.info("%d of %d given pairs remain: %s", len(split), given, counts)


def _log_count(count: int, total: int, reason: str) -> None:
    if count:
        logger.warning("%d of %d given pairs skipped, %s", count, total, reason)
