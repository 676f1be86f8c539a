"""The table of latent vectors: a row for each picture."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from byol_kedro.evaluation.clusters import clusters
from byol_kedro.evaluation.pair_model import LATENT_DIM

COLUMNS = [f"z{axis}" for axis in range(LATENT_DIM)]

# Names, labels (N,) int64 and latent vectors (N, 16) float32 of one split.
Split = tuple[Sequence[str], NDArray[np.int64], NDArray[np.float32]]


def latent_table(train: Split, test: Split, count: int, seed: int) -> pd.DataFrame:
    """name, split (str), label, cluster (int64), z0 … z15 (float32): train's pictures, then test's.

    Clusters are k-means on train with at most `count` centres; see `clusters`.
    """
    found = clusters(train[2], test[2], count, seed)
    parts = []
    for split, (names, labels, vectors), cluster in zip(("train", "test"), (train, test), found, strict=True):
        about = pd.DataFrame({"name": list(names), "split": split, "label": labels, "cluster": cluster})
        parts.append(pd.concat([about, pd.DataFrame(vectors, columns=COLUMNS)], axis=1))
    return pd.concat(parts, ignore_index=True).astype({"name": "str", "split": "str"})


def vectors_of(table: pd.DataFrame) -> NDArray[np.float32]:
    """(N, 16) float32 of a table of `latent_table`."""
    return table[COLUMNS].to_numpy(np.float32)
