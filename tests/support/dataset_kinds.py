"""Every dataset class, with data that it can save."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pyarrow as pa
import pytest

from byol_kedro.datasets.documents import JSONDataset, TextDataset
from byol_kedro.datasets.figure_files import ImageDataset, PlotlyDataset
from byol_kedro.datasets.images import ImagesDataset
from byol_kedro.datasets.tables import (
    CSVDataset,
    OptionalParquetDataset,
    ParquetDataset,
    StreamedParquetDataset,
    TableStream,
)
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from tests.support.image_datasets import NEW, at, random_pixels, stream_of

TABLE = pd.DataFrame({"name": ["α", "b"], "top1": [0.1 + 0.2, 1 / 3], "n": [1, 2]})
IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
CASES = {
    "json": (JSONDataset, {"rows": [{"top1": 0.1}], "name": "été"}, "JSONPreview"),
    "csv": (CSVDataset, TABLE, "TablePreview"),
    "parquet": (ParquetDataset, TABLE, "TablePreview"),
    "md": (TextDataset, "| été |\n", "HTMLPreview"),
    "plotly": (PlotlyDataset, go.Figure(go.Bar(x=["a"], y=[1.5])), "PlotlyPreview"),
    "png": (ImageDataset, IMAGE, "ImagePreview"),
}
ROWS = pa.record_batch({"path": ["a"]})
KINDS = {kind: (cls, data) for kind, (cls, data, _) in CASES.items()} | {
    "safetensors": (TensorsDataset, Tensors({"a": np.arange(3.0)}, {})),
    "npy": (ImagesDataset, stream_of(random_pixels(2))),
    "optional": (OptionalParquetDataset, TABLE),
    "streamed": (StreamedParquetDataset, TableStream(ROWS.schema, lambda: iter([ROWS]))),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def dataset_of(kind, folder, version=NEW):
    return KINDS[kind][0](filepath=str(folder / f"a.{kind}"), version=at(version))
