"""The columns of the answer, each computed from the features of a batch of pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.fit import Features
from byol_kedro.evaluation.knn import nearest
from byol_kedro.evaluation.pair_model import PairModel
from byol_kedro.log import get_logger
from byol_kedro.pipelines.predict.classifier import Classifier
from byol_kedro.pipelines.predict.known import Known

logger = get_logger(__name__)


@dataclass(frozen=True)
class Columns:
    """Some columns: their fields, and an array (n,) for each from features (n, D) float32."""

    fields: list[pa.Field]
    values: Callable[[Features], list[pa.Array]]


def all_columns(classifier: Classifier | None, latent_mlp: Tensors, known: Known, neighbours: int) -> list[Columns]:
    """Those that there is something to compute from; a line says what is left out."""
    columns = []
    if classifier is not None:
        columns.append(class_columns(classifier))
    else:
        logger.info("no classes: nothing was learned from labels, so the columns class and confidence are left out")
    if latent_mlp.arrays:
        columns.append(vector_columns(PairModel.from_arrays(latent_mlp.arrays)))
    else:
        logger.info("no latent vectors: latent_mlp is empty, so the columns z0, z1, … are left out")
    if known.names:
        columns.append(neighbour_columns(known, min(neighbours, len(known.names))))
    else:
        logger.info("no training pictures, so the columns nearest and similarity are left out")
    return [*columns, feature_columns()]


def class_columns(classifier: Classifier) -> Columns:
    """The most probable class and its probability."""
    names = pa.array(classifier.class_names, pa.string())

    def values(features: Features) -> list[pa.Array]:
        probabilities = classifier.probabilities(features)
        return [names.take(pa.array(probabilities.argmax(axis=1))), pa.array(probabilities.max(axis=1))]

    return Columns([pa.field("class", pa.string()), pa.field("confidence", pa.float32())], values)


def vector_columns(model: PairModel) -> Columns:
    """A column for each component of the latent vector."""
    fields = [pa.field(f"z{axis}", pa.float32()) for axis in range(model.dimension)]
    return Columns(fields, lambda features: [pa.array(axis) for axis in model.vectors(features).T])


def neighbour_columns(known: Known, k: int) -> Columns:
    """The `k` training pictures whose features have the largest cosine similarity, the nearest first."""
    names = pa.array(known.names, pa.string())
    train, rows = torch.from_numpy(known.features), torch.arange(len(known.names))

    def values(features: Features) -> list[pa.Array]:
        similarity, row = nearest(train, rows, torch.from_numpy(features), k)
        return [_lists(names.take(pa.array(row.numpy().ravel())), k), _lists(pa.array(similarity.numpy().ravel()), k)]

    fields = [pa.field("nearest", pa.list_(pa.string())), pa.field("similarity", pa.list_(pa.float32()))]
    return Columns(fields, values)


def feature_columns() -> Columns:
    """The features themselves, a list for each picture."""
    field = pa.field("features", pa.list_(pa.float32()))
    return Columns([field], lambda features: [_lists(pa.array(features.ravel()), features.shape[1])])


def _lists(values: pa.Array, length: int) -> pa.ListArray:
    """The values, cut into lists of `length`."""
    offsets: NDArray[np.int32] = np.arange(0, len(values) + 1, length, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
