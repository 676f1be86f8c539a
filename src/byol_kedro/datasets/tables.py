"""Data frames as CSV and parquet, saved whole or not at all."""

from pathlib import Path

import pandas as pd
from kedro_datasets import pandas as kedro_pandas

from byol_kedro.datasets.atomic import AtomicSave


class CSVDataset(AtomicSave, kedro_pandas.CSVDataset):  # type: ignore[misc]  # the base has no types
    """A CSV file without the index."""

    def write(self, data: pd.DataFrame, path: Path) -> None:
        data.to_csv(path, **self._save_args)


class ParquetDataset(AtomicSave, kedro_pandas.ParquetDataset):  # type: ignore[misc]  # the base has no types
    """A parquet file."""

    def write(self, data: pd.DataFrame, path: Path) -> None:
        with path.open("wb") as file:
            data.to_parquet(file, **self._save_args)
