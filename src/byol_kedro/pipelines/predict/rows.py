"""A row for each image, computed in batches: the memory does not grow with the number of images."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from byol_kedro.byol.features import BATCH
from byol_kedro.datasets.new_images import NewImages
from byol_kedro.datasets.tables import TableStream
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, narrow_text
from byol_kedro.files.decoders import Decoded, decode_all
from byol_kedro.log import counted, get_logger
from byol_kedro.pipelines.predict.columns import Columns
from byol_kedro.sources.walk import ignored_text, printable

logger = get_logger(__name__)


def rows(
    images: NewImages, size: int, encode: Callable[[NDArray[np.uint8]], Features], columns: Sequence[Columns]
) -> TableStream:
    """A table with the fields `path`, those of `columns`, and `reason`.

    `path` is relative to the folder. `reason` is null unless an image could not be read; then all fields but `path` and
    `reason` are null.

    Args:
        images: The files.
        size: Height and width of an image.
        encode: Maps pixels (n, 3, size, size) uint8 to features (n, D) float32.
        columns: Further columns.
    """
    text = pa.string()
    fields = [field for some in columns for field in some.fields]
    schema = pa.schema([pa.field("path", text), *fields, pa.field("reason", text)])

    def batches() -> Iterator[pa.RecordBatch]:
        decoded = decode_all(images.paths(), size)
        unreadable = narrow = 0
        for start in range(0, len(images), BATCH):
            names = [printable(name) for name in images.names[start : start + BATCH]]
            some = list(islice(decoded, len(names)))
            batch = _arrays(some, size, encode, columns)
            unreadable += len(some) - batch[-1].null_count
            narrow += sum(isinstance(image, NarrowPixels) for image in some)
            yield pa.record_batch([pa.array(names, text), *batch], schema=schema)
        end = f"{unreadable} could not be read, see the column reason" if unreadable else "all could be read"
        others = ignored_text(images.ignored)
        count = counted(len(images), "image")
        logger.info("%s of %s, %s%s", count, images.root, end, f"; {others}" if others else "")
        if narrow:
            logger.warning("%s", narrow_text(narrow, len(images)))

    return TableStream(schema, batches)


def _arrays(
    decoded: Sequence[Decoded],
    size: int,
    encode: Callable[[NDArray[np.uint8]], Features],
    columns: Sequence[Columns],
) -> list[pa.Array]:
    """The arrays of `columns`, with nulls for images that could not be read, and the reasons."""
    read = np.array([not isinstance(image, UnreadableImage) for image in decoded])
    pixels = [image for image in decoded if not isinstance(image, UnreadableImage)]
    images = np.array(pixels, np.uint8).reshape(-1, 3, size, size)
    features = encode(images)
    # Position of each row among the images that could be read; take() gives null for null.
    position = pa.array(np.cumsum(read) - 1, mask=~read)
    values = [array.take(position) for some in columns for array in some.values(features, images)]
    reasons = [str(image) if isinstance(image, UnreadableImage) else None for image in decoded]
    return [*values, pa.array(reasons, pa.string())]
