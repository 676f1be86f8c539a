"""Arrays that lie in several places, read by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stack:
    """`parts`, at least one, that differ in their first length alone, as if they were one array.

    `stack[rows]` copies the rows (P,) int64 that are asked for and nothing else: a part may be a memory map.
    """

    parts: Sequence[NDArray[Any]]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, rows: Rows) -> NDArray[Any]:
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])  # without a second copy
        copied = np.empty((len(rows), *self.parts[0].shape[1:]), self.parts[0].dtype)
        start = 0
        for part in self.parts:
            here = (rows >= start) & (rows < start + len(part))
            copied[here] = part[rows[here] - start]
            start += len(part)
        return copied
