"""Test pictures for a source that has none: a part of each class, chosen by what is in the pictures.

Neither names nor the order of files matter, and the same picture twice in a class is on one side both times. A
picture that is added moves at most one other of its class.
"""

from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

END = 65_536  # bytes at each end of a file that tell it from others; camera files differ long before


def held_out(digests: npt.NDArray[np.uint64], labels: npt.NDArray[np.int64], fraction: float) -> npt.NDArray[np.bool_]:
    """(N,) bool: in each class the `fraction` with the lowest digests; at least one and never all, where there are two.

    digests: (N,) of the pictures' contents. labels: (N,) int64; unknown ones are a class like others.
    """
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        distinct, rank = np.unique(digests[members], return_inverse=True)
        count = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
        chosen[members] = rank < count
    return chosen


def digest_file(path: Path) -> int:
    """Of its size and its first and last 64 kB: reading 1 TB of large files only for this would take hours."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            first = file.read(END)
            file.seek(max(END, size - END))
            return digest(size.to_bytes(8, "little") + first + file.read(END))
    except OSError:
        return 0  # it cannot be read as a picture either


def digest(content: bytes) -> int:
    """64 bits."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
