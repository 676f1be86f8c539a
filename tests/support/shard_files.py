"""Images in Parquet files and in tar files, written by hand as `datasets` and `webdataset` write them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.support.image_folders import SIDE


def png(color: int) -> bytes:
    """An image of a single color that identifies it, as of `write_image`."""
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (color % 256, color // 256, 0)).save(file, format="PNG")
    return file.getvalue()


def write_parquet(
    path: Path,
    images: Iterable[object],
    labels: Iterable[object] | None = None,
    names: Iterable[str] | None = None,
    image: str = "image",
    label: str = "label",
    group: int | None = None,
) -> Path:
    """Write images, given as bytes or as values of the column, and labels; `names` as a ClassLabel has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"bytes": one, "path": f"{n}.png"} if isinstance(one, bytes) else one for n, one in enumerate(images)]
    columns: dict[str, object] = {image: pa.array(rows, pa.struct({"bytes": pa.binary(), "path": pa.string()}))}
    features: dict[str, object] = {image: {"_type": "Image"}}
    if labels is not None:
        columns[label] = pa.array(list(labels))
        features[label] = {"dtype": "int64", "_type": "Value"}
    if names is not None:
        features[label] = {"names": list(names), "_type": "ClassLabel"}
    table = pa.table(columns)
    info = json.dumps({"info": {"features": features}})
    pq.write_table(table.replace_schema_metadata({"huggingface": info}), path, row_group_size=group)
    return path


def write_tar(path: Path, members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    """Write a shard of the given members in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path
