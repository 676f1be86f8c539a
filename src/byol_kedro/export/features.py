"""Writes the features of all images with their names and classes for other programs."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import replacing, replacing_all
from byol_kedro.files.cells import guarded
from byol_kedro.files.tiles import image_of, tiled

Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]

ROWS = 2048  # written at once
MAX_SPRITE = 8192  # pixels; the side of the largest sheet of images that TensorBoard shows
THUMBNAIL = 64  # pixels
UNLABELED = ""


@dataclass(frozen=True, eq=False)
class Split:
    """The images of a split whose features are saved.

    Attributes:
        name: name of the split.
        names: names of the n images.
        labels: (n,) int64, -1 if unknown.
        classes: names of the classes, by label.
        features: (n, D) float32, possibly a memory map.
        pixels: (m, 3, H, W) uint8 of all images of the split, a memory map.
        index: (n,) int64, rows of the n images in `pixels`.
    """

    name: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    classes: Sequence[str]
    features: Features
    pixels: Pixels
    index: NDArray[np.int64]

    def chunks(self) -> Iterator[slice]:
        """Slices of at most `ROWS` images."""
        for start in range(0, len(self.names), ROWS):
            yield slice(start, min(start + ROWS, len(self.names)))

    def about(self, rows: slice) -> pd.DataFrame:
        """Name, split, label and class of some images."""
        labels = self.labels[rows]
        return pd.DataFrame(
            {
                "name": list(self.names[rows]),
                "split": self.name,
                "label": labels,
                "class": [self.classes[label] if label >= 0 else UNLABELED for label in labels],
            }
        )

    def png(self, row: int) -> bytes:
        """An image as PNG."""
        buffer = io.BytesIO()
        image_of(self.pixels[self.index[row]]).save(buffer, format="PNG")
        return buffer.getvalue()


def write_features(splits: Sequence[Split], form: str, output: Path) -> int:
    """Write the features of all splits; nothing is left if that fails.

    Args:
        splits: the images, in this order in the output.
        form: a name in `FORMATS`.
        output: a file, or for `tensorboard-projector` a folder.

    Returns:
        The number of images.

    Raises:
        UserError: there are no features, or the output cannot be written.
    """
    count = sum(len(split.names) for split in splits)
    if not count:
        raise UserError("export-features: there are no features, the encoder was applied to no image")
    FORMATS[form](splits, output)
    return count


def _write_csv(splits: Sequence[Split], output: Path) -> None:
    with replacing(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        header = True
        for split in splits:
            for rows in split.chunks():
                about = split.about(rows)
                for column in ("name", "class"):
                    about[column] = about[column].map(guarded)
                features = pd.DataFrame(np.asarray(split.features[rows]))
                table = pd.concat([about, features.add_prefix("f")], axis=1)
                # Nine digits restore a float32 exactly.
                table.to_csv(file, index=False, header=header, float_format="%.9g", lineterminator="\n")
                header = False


def _write_npz(splits: Sequence[Split], output: Path) -> None:
    about = pd.concat([split.about(slice(0, len(split.names))) for split in splits], ignore_index=True)
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            features=np.concatenate([np.asarray(split.features) for split in splits]),
            labels=about["label"].to_numpy(np.int64),
            names=about["name"].to_numpy(np.str_),
            splits=about["split"].to_numpy(np.str_),
            classes=about["class"].to_numpy(np.str_),
        )


def _write_parquet(splits: Sequence[Split], output: Path, *, with_images: bool = False) -> None:
    dim = splits[0].features.shape[1]
    fields = [
        ("name", pa.string()), ("split", pa.string()), ("label", pa.int64()), ("class", pa.string()),
        ("features", pa.list_(pa.float32(), dim)), *([("image", pa.binary())] if with_images else []),
    ]  # fmt: skip
    schema = pa.schema(fields)
    with replacing(output) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for split in splits:
            for rows in split.chunks():
                values = pa.array(np.ascontiguousarray(split.features[rows], np.float32).ravel())
                columns = {name: pa.array(column) for name, column in split.about(rows).items()}
                columns["features"] = pa.FixedSizeListArray.from_arrays(values, dim)
                if with_images:
                    columns["image"] = pa.array([split.png(row) for row in range(rows.start, rows.stop)])
                writer.write_table(pa.table(columns, schema=schema))


def _write_spotlight(splits: Sequence[Split], output: Path) -> None:
    _write_parquet(splits, output, with_images=True)


def _write_projector(splits: Sequence[Split], folder: Path) -> None:
    """TensorBoard's projector: features, metadata, a sheet of the images and the configuration that names them."""
    names = ("features.tsv", "metadata.tsv", "images.png", "projector_config.pbtxt")
    count = sum(len(split.names) for split in splits)
    columns = math.ceil(count**0.5)
    side = max(1, min(THUMBNAIL, MAX_SPRITE // columns))
    # The configuration is moved last: TensorBoard looks for it.
    with replacing_all([folder / name for name in names]) as (features, metadata, images, config):
        with features.open("w", encoding="utf-8", newline="") as file:
            for split in splits:
                for rows in split.chunks():
                    np.savetxt(file, split.features[rows], fmt="%.9g", delimiter="\t")
        about = pd.concat([split.about(slice(0, len(split.names))) for split in splits], ignore_index=True)
        # The projector reads no quotes: a tab or a line end within a name would start another column or row.
        about[["name", "class"]] = about[["name", "class"]].map(lambda text: " ".join(text.split()))
        metadata.write_text(
            "\n".join("\t".join(map(str, row)) for row in [about.columns, *about.to_numpy()]) + "\n", encoding="utf-8"
        )
        pixels = (split.pixels[row] for split in splits for row in split.index)
        tiled(pixels, columns=columns, rows=columns, side=side).save(images, format="PNG")
        config.write_text(
            'embeddings {\n  tensor_name: "features"\n  tensor_path: "features.tsv"\n  metadata_path: "metadata.tsv"\n'
            f'  sprite {{\n    image_path: "images.png"\n    single_image_dim: {side}\n    single_image_dim: {side}\n'
            "  }\n}\n",
            encoding="utf-8",
        )


FORMATS: dict[str, Callable[[Sequence[Split], Path], None]] = {
    "csv": _write_csv,
    "npz": _write_npz,
    "parquet": _write_parquet,
    "spotlight": _write_spotlight,
    "tensorboard-projector": _write_projector,
}
