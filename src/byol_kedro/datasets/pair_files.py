"""Image pairs given by the user."""

import csv
import math
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset
from numpy.typing import NDArray

from byol_kedro.byol.finite import MAX_FEATURE
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.files.user_files import is_regular

NAMES = ["left", "right"]
PSNRS = ["psnr_1", "psnr_2"]
SUFFIXES = (".txt", ".parquet")


class PairFileDataset(AbstractDataset[Any, pd.DataFrame]):
    """Loads `left`, `right` (str) and numeric columns (float64, finite), one row per pair.

    A text file has a line `name1 name2 psnr1 psnr2` for each pair, both PSNR in dB and above 0. A Parquet file has
    `left`, `right` and any numeric columns, among them the target. `filepath` is the path of one of them; the other has
    the same name with the other suffix. If neither exists, the table is empty.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the arguments of the catalog entry."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the table.

        Raises:
            UserError: A line is not a pair, both files exist, or a file is damaged.
        """
        found = [path for path in map(self._filepath.with_suffix, SUFFIXES) if is_regular(path)]
        if len(found) > 1:
            raise UserError(f"{found[0]} and {found[1]} both exist; remove one of them")
        if not found:
            return _typed(pd.DataFrame(columns=NAMES + PSNRS), PSNRS)
        return _read_parquet(found[0]) if found[0].suffix == ".parquet" else _read_text(found[0])

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: the file is read-only."""
        raise UserError(f"{self._filepath} is a file of the user and read-only")

    def _exists(self) -> bool:
        return True  # a missing file is an empty table

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _typed(table: pd.DataFrame, numbers: list[str]) -> pd.DataFrame:
    """Convert the columns. Raises ValueError if a value is not a number."""
    return table[NAMES + numbers].astype(dict.fromkeys(NAMES, str) | dict.fromkeys(numbers, np.float64))


def _is_valid(table: pd.DataFrame) -> "pd.Series[bool]":
    numbers = table.drop(columns=NAMES)
    finite: pd.Series[bool] = pd.Series((numbers.abs() <= MAX_FEATURE).all(axis=1), index=table.index)
    return finite & (numbers[numbers.columns.intersection(PSNRS)] > 0).all(axis=1)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        # Without names=, the first line determines the number of columns; with it, extra fields would be dropped.
        table = pd.read_csv(
            path, sep=r"\s+", header=None, index_col=False, dtype=str, na_filter=False,
            quoting=csv.QUOTE_NONE, engine="c", encoding="utf-8",
        )  # fmt: skip
        if table.shape[1] != len(NAMES + PSNRS):
            _raise_bad_line(path)
        pairs = _typed(table.set_axis(NAMES + PSNRS, axis=1), PSNRS)
    except pd.errors.EmptyDataError:
        return _typed(pd.DataFrame(columns=NAMES + PSNRS), PSNRS)
    except ValueError:
        _raise_bad_line(path)
    if not _is_valid(pairs).all():
        _raise_bad_line(path)
    return pairs


def _raise_bad_line(path: Path) -> NoReturn:
    """Find the number of the first invalid line; lines and fields are split as pandas does."""
    lines = path.read_bytes().splitlines()
    number, line = next((n, line) for n, line in enumerate(lines, 1) if line.strip(b" \t") and not _is_pair(line))
    found = line.decode("utf-8", "backslashreplace")[:80]
    raise UserError(
        f"{path}, line {number}: `name1 name2 psnr1 psnr2` in UTF-8, both PSNR above 0, expected, found {found!r}"
    )


def _is_pair(line: bytes) -> bool:
    try:
        _, _, *psnrs = re.split("[ \t]+", line.decode("utf-8").strip(" \t"))
        return len(psnrs) == len(PSNRS) and all(math.isfinite(float(psnr)) and float(psnr) > 0 for psnr in psnrs)
    except ValueError:
        return False


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except Exception as error:
        # pyarrow raises many types of exceptions for damaged files.
        raise UserError(f"{path} is not a Parquet file of pairs: {' '.join(str(error).split())}") from error
    missing = [column for column in NAMES if column not in table]
    numbers = [str(column) for column in table.select_dtypes("number", exclude="timedelta") if column not in NAMES]
    if missing or not numbers:
        wanted = f"the column {missing[0]}" if missing else "a numeric column, the target,"
        raise UserError(f"{path}: {wanted} is missing; left, right and target, or left, right, psnr_1, psnr_2 expected")
    try:
        pairs = _typed(table, numbers).reset_index(drop=True)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: names as text and numbers expected: {error}") from error
    if not _is_valid(pairs).all():
        row = int(np.argmin(_is_valid(pairs)))
        found = pairs[numbers].iloc[row].to_dict()
        raise UserError(
            f"{path}, row {row}: finite numbers up to {MAX_FEATURE:g} and both PSNR above 0 expected, found {found}"
        )
    return pairs


class PairTensorsDataset(AbstractDataset[Any, Tensors]):
    """Loads `x1`, `x2` (P, D) float32 and `y` (P,) float64: features of both images of each pair, and its target.

    The file is in the format of the system that this project replaces, written by torch.save. If it does not exist, P
    and D are 0.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the arguments of the catalog entry."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Tensors:
        """Read the tensors.

        Raises:
            UserError: The file is damaged, or contains Python objects or tensors of other names or shapes.
        """
        if not is_regular(self._filepath):
            none = np.zeros((0, 0), np.float32)
            return Tensors({"x1": none, "x2": none, "y": np.zeros(0)}, {})
        from byol_kedro.files.weights import read_weights  # noqa: PLC0415  # imports torch, see below

        content, _ = read_weights(self._filepath, "pair_tensors")
        found = {name: _numbers(content.get(name)) for name in ("x1", "x2", "y")}
        shapes = {name: array.shape for name, array in found.items()}
        x1, x2, y = shapes.values()
        if len(x1) != 2 or x1 != x2 or y not in (x1[:1], (*x1[:1], 1)) or not all(x1):
            raise UserError(
                f"{self._filepath}: tensors x1 and x2 (pairs, features) and y (pairs,) expected, found "
                f"{', '.join(f'{name} {shape}' for name, shape in shapes.items())} among {list(content)[:6]}"
            )
        if not all((np.abs(array) <= MAX_FEATURE).all() for array in found.values()) or (found["y"] < 0).any():
            raise UserError(
                f"{self._filepath}: finite numbers up to {MAX_FEATURE:g} expected, and in y, which is a distance, none "
                "below 0"
            )
        return Tensors(found | {"y": found["y"].reshape(-1).astype(np.float64)}, {})

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: the file is read-only."""
        raise UserError(f"{self._filepath} is a file of the user and read-only")

    def _exists(self) -> bool:
        return True  # a missing file has no pairs

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _numbers(tensor: Any) -> NDArray[np.float32]:
    import torch  # noqa: PLC0415  # takes seconds, and `kedro results` creates this dataset

    if not isinstance(tensor, torch.Tensor):
        return np.zeros((), np.float32)
    return np.asarray(tensor.detach().to(torch.float32).numpy())
