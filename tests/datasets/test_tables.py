"""Tables are written in batches, and a failed one leaves nothing."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from byol_kedro.datasets.tables import StreamedParquetDataset, TableStream

SCHEMA = pa.schema([("path", pa.string()), ("features", pa.list_(pa.float32())), ("reason", pa.string())])
ROWS = [{"path": f"{i}.png", "features": [float(i)], "reason": None} for i in range(7)]


def pieces():
    yield pa.RecordBatch.from_pylist(ROWS[:4], SCHEMA)
    yield pa.RecordBatch.from_pylist(ROWS[4:], SCHEMA)


def dies_in_the_middle():
    yield pa.RecordBatch.from_pylist(ROWS[:4], SCHEMA)
    raise ValueError("the second batch")


@pytest.fixture
def dataset(tmp_path: Path) -> StreamedParquetDataset:
    return StreamedParquetDataset(filepath=str(tmp_path / "deep" / "table.parquet"))


def test_stream_is_loaded_as_a_data_frame(dataset):
    dataset.save(TableStream(SCHEMA, pieces))
    assert pa.Table.from_pandas(dataset.load(), SCHEMA).to_pylist() == ROWS


def test_each_batch_is_a_row_group(dataset, tmp_path):
    dataset.save(TableStream(SCHEMA, pieces))
    groups = pq.ParquetFile(tmp_path / "deep" / "table.parquet").metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [4, 3]


def test_failed_stream_leaves_nothing(dataset, tmp_path):
    with pytest.raises(DatasetError):
        dataset.save(TableStream(SCHEMA, dies_in_the_middle))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rows", "shown"), [(ROWS, ["0.png", "1.png", "2.png"]), ([], [])], ids=["some", "none"])
def test_preview_shows_the_first_rows(dataset, rows, shown):
    dataset.save(TableStream(SCHEMA, lambda: iter([pa.RecordBatch.from_pylist(rows, SCHEMA)])))
    preview = json.loads(json.dumps(dataset.preview(nrows=3)))
    assert preview["columns"] == ["path", "reason"]
    assert preview["data"] == [[path, None] for path in shown]
