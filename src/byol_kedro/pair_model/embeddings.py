"""The table of latent vectors: a row for each image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.log import Brief
from byol_kedro.pair_model.clusters import clusters
from byol_kedro.pair_model.training import LATENT_DIM

if TYPE_CHECKING:
    from byol_kedro.parameters import Clusters


@dataclass(frozen=True, eq=False, repr=False)
class Vectors(Brief):
    """Of one split: names, labels (N,) int64, -1 where unknown, and latent vectors (N, D) float32."""

    split: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    vectors: NDArray[np.float32]


def latent_table(
    train: Vectors, others: Sequence[Vectors], class_names: Sequence[str], params: "Clusters", seed: int
) -> pd.DataFrame:
    """name, split (str), label (int64), class (str), cluster (int64), z0, z1, … (float32): train, then the others.

    `class` is that of `class_names` for the label, null where it is unknown. Clusters are found in train; see
    `clusters`.
    """
    rest = np.concatenate([other.vectors for other in others])
    found, fallen = clusters(train.vectors, rest, params, seed)
    parts = [_rows(split) for split in (train, *others)]
    table = pd.concat(parts, ignore_index=True)
    table.insert(3, "class", table["label"].map(dict(enumerate(class_names))))
    table.insert(4, "cluster", np.concatenate([found, fallen]))
    return table.astype(dict.fromkeys(["name", "split", "class"], "str"))


def no_vectors() -> pd.DataFrame:
    """The columns of `latent_table` and no rows, where there is no pair model."""
    nothing = Vectors("", [], np.zeros(0, np.int64), np.zeros((0, LATENT_DIM), np.float32))
    table = _rows(nothing)
    table.insert(3, "class", "")
    table.insert(4, "cluster", np.zeros(0, np.int64))
    return table.astype(dict.fromkeys(["name", "split", "class"], "str"))


def axis_names(dimension: int) -> list[str]:
    """The columns of a latent vector: z0, z1, …"""
    return [f"z{axis}" for axis in range(dimension)]


def vectors_of(table: pd.DataFrame) -> NDArray[np.float32]:
    """(N, D) float32 of a table of `latent_table`."""
    return table.filter(regex=r"^z\d+$").to_numpy(np.float32)


def _rows(split: Vectors) -> pd.DataFrame:
    about = pd.DataFrame({"name": list(split.names), "split": split.split, "label": split.labels})
    return pd.concat([about, pd.DataFrame(split.vectors, columns=axis_names(split.vectors.shape[1]))], axis=1)
