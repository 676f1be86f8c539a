"""The columns of `predicted_images`, each computed from a batch of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from byol_kedro.byol.finite import check_finite
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.base import Features
from byol_kedro.log import get_logger
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pipelines.predict.classifier import Classifier
from byol_kedro.pipelines.predict.neighbors import Pixels, Split, nearest_known

logger = get_logger(__name__)


@dataclass(frozen=True)
class Columns:
    """Some columns of the table.

    Attributes:
        fields: Name and type of each.
        values: Maps features (n, D) float32 and pixels (n, 3, S, S) uint8 to an array (n,) for each field.
    """

    fields: list[pa.Field]
    values: Callable[[Features, Pixels], list[pa.Array]]


def all_columns(
    classifier: Classifier | None, pair_model: Tensors, known: Sequence[Split], neighbors: int
) -> list[Columns]:
    """All columns that can be computed; a log line names those that are left out."""
    columns = []
    if classifier is not None:
        columns.append(class_columns(classifier))
    else:
        logger.info("no probe was fitted, for lack of labels: columns class and confidence are left out")
    if pair_model.arrays:
        columns.append(embedding_columns(PairModel.from_arrays(pair_model.arrays)))
    else:
        logger.info("no embeddings, since pair_model is empty: columns z0, z1, … are left out")
    if any(split.names for split in known):
        searched = ", ".join(f"{split.name} ({len(split.names):,})" for split in known if split.names)
        logger.info("nearest images are searched in %s", searched)
        columns.append(neighbor_columns(known, neighbors))
    else:
        logger.info("no known images: columns nearest, nearest_split and similarity are left out")
    return [*columns, feature_columns()]


def class_columns(classifier: Classifier) -> Columns:
    """The most probable class and its probability."""
    names = pa.array(classifier.class_names, pa.string())

    def values(features: Features, _: Pixels) -> list[pa.Array]:
        probabilities = classifier.probabilities(features)
        check_finite({"confidence": probabilities}, "the probe's", "choose another predict.probe")
        return [names.take(pa.array(probabilities.argmax(axis=1))), pa.array(probabilities.max(axis=1))]

    return Columns([pa.field("class", pa.string()), pa.field("confidence", pa.float32())], values)


def embedding_columns(model: PairModel) -> Columns:
    """A column for each dimension of the embedding."""
    fields = [pa.field(f"z{axis}", pa.float32()) for axis in range(model.embedding_dim)]
    return Columns(fields, lambda features, _: [pa.array(axis) for axis in model.embed(features).T])


def neighbor_columns(known: Sequence[Split], count: int) -> Columns:
    """The `count` known images whose features have the largest cosine similarity, with the split of each."""
    texts, numbers = pa.list_(pa.string()), pa.list_(pa.float32())

    def values(features: Features, pixels: Pixels) -> list[pa.Array]:
        found = nearest_known(known, features, pixels, count)
        return [pa.array(found.names, texts), pa.array(found.splits, texts), pa.array(found.similarities, numbers)]

    fields = [pa.field("nearest", texts), pa.field("nearest_split", texts), pa.field("similarity", numbers)]
    return Columns(fields, values)


def feature_columns() -> Columns:
    """The features, a list for each image."""
    field = pa.field("features", pa.list_(pa.float32()))
    return Columns([field], lambda features, _: [_as_lists(pa.array(features.ravel()), features.shape[1])])


def _as_lists(values: pa.Array, length: int) -> pa.ListArray:
    """Split values into lists of `length`."""
    offsets: NDArray[np.int32] = np.arange(0, len(values) + 1, length, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
