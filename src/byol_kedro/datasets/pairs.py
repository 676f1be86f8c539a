"""The user's file of picture pairs."""

import csv
import math
import warnings
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

NAMES = ["left", "right"]
PSNRS = ["psnr_1", "psnr_2"]
log = get_logger(__name__)


class PairFileDataset(AbstractDataset[Any, pd.DataFrame]):
    """Loads `left`, `right` (str) and `psnr_1`, `psnr_2` (float64, dB, finite and above 0), one row a pair.

    The file has a line `name1 name2 psnr1 psnr2` for each pair, or is a .parquet with these columns. Where it is
    not there, the table is empty.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Raises UserError at the first line that is no pair, by its number."""
        if not self._filepath.exists():
            log.info(
                "no pair file at %s: pairs are drawn, and their target comes from the PSNR of the two pictures",
                self._filepath,
            )
            return _typed(pd.DataFrame(columns=NAMES + PSNRS))
        if self._filepath.suffix == ".parquet":
            return _read_parquet(self._filepath)
        return _read_text(self._filepath)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        raise UserError(f"{self._filepath} is the user's file and is only read")

    def _exists(self) -> bool:
        return True  # a missing file is an empty table

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Raises ValueError where a PSNR is no number."""
    return table[NAMES + PSNRS].astype(dict.fromkeys(NAMES, str) | dict.fromkeys(PSNRS, np.float64))


def _good(table: pd.DataFrame) -> "pd.Series[bool]":
    values = table[PSNRS]
    return pd.Series((np.isfinite(values) & (values > 0)).all(axis=1), index=table.index)


def _read_text(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # What is too much in the first line is dropped with no more than a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path, sep=r"\s+", header=None, names=NAMES + PSNRS, index_col=False, dtype=str, na_filter=False,
                quoting=csv.QUOTE_NONE, engine="c", encoding="utf-8",
            )  # fmt: skip
        pairs = _typed(table)
    except pd.errors.EmptyDataError:
        return _typed(pd.DataFrame(columns=NAMES + PSNRS))
    except (ValueError, pd.errors.ParserWarning):
        _name_bad_line(path)
    if not _good(pairs).all():
        _name_bad_line(path)
    return pairs


def _name_bad_line(path: Path) -> NoReturn:
    """The slow reading, only for the number of the line."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    number, line = next((n, line) for n, line in enumerate(lines, 1) if line.split() and not _is_pair(line))
    raise UserError(f"{path}, line {number}: `name1 name2 psnr1 psnr2` with both above 0 expected, found {line[:80]!r}")


def _is_pair(line: str) -> bool:
    fields = line.split()
    try:
        return len(fields) == len(NAMES + PSNRS) and all(
            math.isfinite(float(field)) and float(field) > 0 for field in fields[len(NAMES) :]
        )
    except ValueError:
        return False


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
        missing = [column for column in NAMES + PSNRS if column not in table]
        if missing:
            raise UserError(f"{path} lacks the column {missing[0]}; {', '.join(NAMES + PSNRS)} are expected")
        pairs = _typed(table)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is no parquet file of pairs: {error}") from error
    if not _good(pairs).all():
        row = int(np.argmin(_good(pairs)))
        raise UserError(f"{path}, row {row}: both PSNR above 0 expected, found {pairs[PSNRS].iloc[row].tolist()}")
    return pairs
