"""The table of embeddings: one row for each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.log import Brief
from byol_kedro.pair_model.clusters import cluster_embeddings
from byol_kedro.pair_model.training import EMBEDDING_DIM

if TYPE_CHECKING:
    from byol_kedro.parameters import Clusters


@dataclass(frozen=True, eq=False, repr=False)
class SplitEmbeddings(Brief):
    """Embeddings of the images of one split.

    Attributes:
        split: name of the split.
        names: names of the N images.
        labels: (N,) int64, -1 if unknown.
        embeddings: (N, D) float32.
    """

    split: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    embeddings: NDArray[np.float32]


def embedding_table(
    train: SplitEmbeddings,
    others: Sequence[SplitEmbeddings],
    class_names: Sequence[str],
    params: "Clusters",
    seed: int,
) -> pd.DataFrame:
    """Combine the embeddings of all splits and add a cluster for each image.

    Args:
        train: the split that clusters are fitted on.
        others: the splits whose images are assigned to these clusters.
        class_names: class name for each label.
        params: method and number of clusters, see `cluster_embeddings`.
        seed: seed of the clustering.

    Returns:
        name, split (str), label (int64), class (str, null if the label is unknown), cluster (int64), z0, z1, …
        (float32); train first, then the others.
    """
    rest = np.concatenate([other.embeddings for other in others])
    fitted, assigned = cluster_embeddings(train.embeddings, rest, params, seed)
    parts = [_rows(split) for split in (train, *others)]
    table = pd.concat(parts, ignore_index=True)
    table.insert(3, "class", table["label"].map(dict(enumerate(class_names))))
    table.insert(4, "cluster", np.concatenate([fitted, assigned]))
    return table.astype(dict.fromkeys(["name", "split", "class"], "str"))


def empty_embedding_table() -> pd.DataFrame:
    """The columns of `embedding_table` without rows, used if there is no pair model."""
    nothing = SplitEmbeddings("", [], np.zeros(0, np.int64), np.zeros((0, EMBEDDING_DIM), np.float32))
    table = _rows(nothing)
    table.insert(3, "class", "")
    table.insert(4, "cluster", np.zeros(0, np.int64))
    return table.astype(dict.fromkeys(["name", "split", "class"], "str"))


def embedding_columns(dimension: int) -> list[str]:
    """Names of the columns of an embedding: z0, z1, and so on."""
    return [f"z{axis}" for axis in range(dimension)]


def embeddings_of(table: pd.DataFrame) -> NDArray[np.float32]:
    """Embeddings (N, D) float32 of a table returned by `embedding_table`."""
    return table.filter(regex=r"^z\d+$").to_numpy(np.float32)


def _rows(split: SplitEmbeddings) -> pd.DataFrame:
    about = pd.DataFrame({"name": list(split.names), "split": split.split, "label": split.labels})
    columns = embedding_columns(split.embeddings.shape[1])
    return pd.concat([about, pd.DataFrame(split.embeddings, columns=columns)], axis=1)
