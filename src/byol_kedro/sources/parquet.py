"""Parquet files as Hugging Face's `datasets` writes them.

A column of images, `bytes` and `path` each, and a column of labels, whose names are in the metadata of the schema.
`raw_root` is a folder of files `train-00000-of-00002.parquet` or `train/0.parquet`, or one file.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.files.remote import open_file
from byol_kedro.sources.shards import Member, Place, Shard, ShardSource
from byol_kedro.sources.text import check_distinct
from byol_kedro.sources.walk import printable

IMAGES, LABELS = ("image", "img"), ("label", "labels")
ROWS = 8  # images that are read together
INDEX_ROWS = 10_000
# The pages of a row group are read one after the other; many writers put a whole row group into one.
BUFFER_BYTES = 1 << 20


class ParquetSource(ShardSource):
    """Reads Parquet files. The constructor reads labels and paths, images are read when a stream is saved."""

    name = "parquet"
    suffixes = (".parquet",)
    _names: list[str] | None = None  # of the classes, as in the first file

    def _members(self, shard: Shard) -> Iterator[Member]:
        with _opened(shard) as file:
            columns = _columns(shard, file.schema_arrow)
            if self._names is None:
                self._names = columns.names
                check_distinct(shard.path, columns.names)
            elif self._names != columns.names:
                raise UserError(f"{shard.path}: other class names than in the first file; write all files together")
            wanted = [f"{columns.image}.path"] if columns.has_paths else []
            wanted += [columns.label] if columns.label else []
            if not wanted:
                yield from (Member(f"{row:05d}", row, None) for row in range(file.metadata.num_rows))
                return
            row = 0
            for batch in file.iter_batches(INDEX_ROWS, columns=wanted, use_threads=False):
                none = [None] * len(batch)
                labels = batch.column(columns.label).to_pylist() if columns.label else none
                paths = batch.column(columns.image).field("path").to_pylist() if columns.has_paths else none
                for path, label in zip(paths, labels, strict=True):
                    yield Member(_name(row, path), row, columns.class_of(shard, row, label))
                    row += 1

    def _class_order(self) -> Sequence[str]:
        return self._names or ()

    def _read(self, shard: Shard, places: Sequence[Place]) -> Iterator[bytes | UnreadableImage]:
        with _opened(shard) as file:
            column, wanted = _columns(shard, file.schema_arrow).image, np.array([row for row, _ in places])
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                rows = wanted[(wanted >= start) & (wanted < end)]
                if len(rows):
                    yield from _images(file, group, column, rows - start)
                start = end


@dataclass(frozen=True)
class _Columns:
    """The names of the columns of images and labels, and of the classes."""

    image: str
    has_paths: bool
    label: str | None
    names: list[str]

    def class_of(self, shard: Shard, row: int, label: int | str | None) -> str | None:
        if label is None or label == -1:
            return None
        if not self.names or isinstance(label, str):
            return str(label)
        if not 0 <= label < len(self.names):
            raise UserError(f"{shard.path}, row {row}: label {label} found, 0 to {len(self.names) - 1} expected")
        return str(self.names[label])


@contextmanager
def _opened(shard: Shard) -> Iterator[pq.ParquetFile]:
    try:
        with (
            open_file(shard.path) as opened,
            pq.ParquetFile(opened, buffer_size=BUFFER_BYTES, pre_buffer=False) as file,
        ):
            yield file
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{shard.path} cannot be read as Parquet: {reason}; download or write it again") from error


def _columns(shard: Shard, schema: pa.Schema) -> _Columns:
    """Raise UserError if there is no column of images, or the labels are neither numbers nor names."""
    features = _features(schema)
    kinds = {name: str(feature.get("_type")) for name, feature in features.items() if isinstance(feature, dict)}
    image = _only(IMAGES, [name for name in schema.names if _is_image(schema.field(name).type)], kinds, "Image")
    if image is None:
        found = ", ".join(f"{printable(field.name)} ({field.type})" for field in list(schema)[:5])
        raise UserError(f"{shard.path}: a column image with the bytes of images expected, found {found}")
    label = _only(LABELS, [name for name in schema.names if name in (*LABELS, *kinds)], kinds, "ClassLabel")
    if label is not None:
        kind = schema.field(label).type
        value = kind.value_type if pa.types.is_dictionary(kind) else kind
        are_words = pa.types.is_string(value) or pa.types.is_large_string(value)
        if not (are_words or pa.types.is_integer(value) or pa.types.is_null(value)):  # null: all are unknown
            raise UserError(
                f"{shard.path}: the column {printable(label)} has the type {kind}, numbers or names expected"
            )
    names = features[label].get("names") if label is not None and kinds.get(label) == "ClassLabel" else None
    has_names = isinstance(names, list) and all(isinstance(name, str) for name in names)
    kind = schema.field(image).type
    has_paths = pa.types.is_struct(kind) and kind.get_field_index("path") >= 0
    return _Columns(image, has_paths, label, list(names or []) if has_names else [])


def _features(schema: pa.Schema) -> dict[str, Any]:
    """What `datasets` says of the columns in the metadata of the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _only(usual: tuple[str, ...], possible: list[str], kinds: dict[str, str], kind: str) -> str | None:
    """The column of the usual name, or the only one of the kind that `datasets` names, or the only possible one."""
    of_kind = [name for name in possible if kinds.get(name) == kind]
    for name in usual:
        if name in possible:
            return name
    return of_kind[0] if len(of_kind) == 1 else possible[0] if len(possible) == 1 and kind == "Image" else None


def _is_image(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return _is_image(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _name(row: int, path: str | None) -> str:
    """The row, which makes it unique, and the name of the original file if it is known."""
    last = (path or "").replace("\0", "").rpartition("/")[2]
    return f"{row:05d}/{last}" if last else f"{row:05d}"


def _images(file: pq.ParquetFile, group: int, column: str, rows: Any) -> Iterator[bytes | UnreadableImage]:
    """The images at some rows of a row group."""
    start = 0
    for batch in file.iter_batches(ROWS, row_groups=[group], columns=[column], use_threads=False):
        for row in rows[(rows >= start) & (rows < start + len(batch))]:
            value = batch.column(0)[int(row) - start].as_py()
            content = value.get("bytes") if isinstance(value, dict) else value
            yield UnreadableImage("no image in this row") if content is None else content
        start += len(batch)
