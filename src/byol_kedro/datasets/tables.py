"""Data frames as CSV and Parquet, saved atomically and verified on load."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from kedro_datasets import pandas as kedro_pandas
from kedro_datasets._typing import TablePreview

from byol_kedro.datasets.atomic_save import ArtifactMixin
from byol_kedro.files.cells import guarded, has_carriage_returns, map_texts, unguarded


@dataclass(frozen=True, eq=False)
class TableStream:
    """A table that is computed while it is written; each call of `batches` returns an iterator over all rows."""

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.RecordBatch]]


class CSVDataset(ArtifactMixin, kedro_pandas.CSVDataset):  # type: ignore[misc]  # the base has no types
    """A CSV file without the index. Texts that look like formulas are escaped in the file and restored on load."""

    def write(self, data: pd.DataFrame, path: Path) -> None:
        """Write the table."""
        quoting = csv.QUOTE_NONNUMERIC if has_carriage_returns(data) else csv.QUOTE_MINIMAL
        map_texts(data, guarded).to_csv(path, **{**self._save_args, "quoting": quoting})

    def read(self, path: Path) -> Any:
        """Read the table."""
        data = pd.read_csv(path, **self._load_args)
        assert isinstance(data, pd.DataFrame), "the catalog entry must not set chunksize or iterator"
        return map_texts(data, unguarded)


class ParquetDataset(ArtifactMixin, kedro_pandas.ParquetDataset):  # type: ignore[misc]  # the base has no types
    """A Parquet file."""

    def write(self, data: Any, path: Path) -> None:
        """Write the table."""
        with path.open("wb") as file:
            data.to_parquet(file, **self._save_args)

    def read(self, path: Path) -> pd.DataFrame:
        """Read the table."""
        return pd.read_parquet(path, **self._load_args)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows without nested columns; only the first row group is read."""
        file = pq.ParquetFile(self.checked_path())
        names = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        first = next(file.iter_batches(nrows, columns=names), None)
        columns = first.to_pydict() if first else {name: [] for name in names}
        data = [list(row) for row in zip(*columns.values(), strict=True)]
        return TablePreview({"index": list(range(len(data))), "columns": names, "data": data})


class OptionalParquetDataset(ParquetDataset):
    """A Parquet file that need not exist: without any version, loading it gives an empty table."""

    optional = True

    def load(self) -> Any:
        """Load the data, or an empty table.

        Raises:
            UserError: The file differs from what was saved, or is missing in the version that was asked for.
        """
        pinned = self._version is not None and self._version.load is not None
        return super().load() if pinned or self.exists() else pd.DataFrame()


class StreamedParquetDataset(ParquetDataset):
    """Saves a `TableStream` with one row group per batch; loads a data frame."""

    def write(self, data: TableStream, path: Path) -> None:
        """Write the batches one after the other."""
        with pq.ParquetWriter(path, data.schema) as writer:
            for batch in data.batches():
                writer.write_batch(batch)
