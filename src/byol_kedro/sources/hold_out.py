"""Holds out test images if a source has none: a part of each class, selected by a hash of the content.

Neither names nor the order of files matter, and copies of an image in a class fall into the same split. An added image
moves at most one other image of its class.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.user_files import open_regular
from byol_kedro.sources.walk import File, printable

HASHED_BYTES = 65_536  # at each end of a file; camera files differ long before


def held_out(digests: npt.NDArray[np.uint64], labels: npt.NDArray[np.int64], fraction: float) -> npt.NDArray[np.bool_]:
    """Select the images with the lowest digests in each class.

    Args:
        digests: Digests of the contents, (N,).
        labels: Classes, (N,) int64; unlabeled images count as one class.
        fraction: Part of each class to select; at least one image and never all, if a class has two distinct images.

    Returns:
        Which images are held out, (N,) bool.
    """
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        distinct, rank = np.unique(digests[members], return_inverse=True)
        count = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
        chosen[members] = rank < count
    return chosen


def digest_content(content: Path | bytes) -> int:
    """Return the digest of a file as `digest_file` does, or of its bytes.

    Raises:
        OSError: The file cannot be read.
    """
    if isinstance(content, Path):
        return digest_file(content)
    last = content[max(HASHED_BYTES, len(content) - HASHED_BYTES) :]
    return digest(len(content).to_bytes(8, "little") + content[:HASHED_BYTES] + last)


def digest_file(path: Path) -> int:
    """Return a digest of the size and the first and last 64 kB of a file; reading 1 TB for it would take hours.

    Raises:
        OSError: The file cannot be read.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        first = file.read(HASHED_BYTES)
        file.seek(max(HASHED_BYTES, size - HASHED_BYTES))
        return digest(size.to_bytes(8, "little") + first + file.read(HASHED_BYTES))


def digest(content: bytes) -> int:
    """Return a 64-bit hash."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


class HoldOut:
    """Splits files into train and test. It decides once for both, so that no file is in both or in neither."""

    def __init__(
        self,
        root: Path,
        files: list[File],
        labels: npt.NDArray[np.int64],
        fraction: float,
        digests: Callable[[list[File]], Iterator[int | str]],
    ) -> None:
        """Set the files; they are read on first use.

        Args:
            root: Where the files are, for messages.
            files: All files.
            labels: Their classes, (N,) int64.
            fraction: Part of each class that is held out.
            digests: Yields for each of the given files the digest of its content, or the reason why it cannot be read.
                These are not held out and do not influence which files are.
        """
        self._root, self._files, self._labels, self._fraction = root, files, labels, fraction
        self._digests = digests
        self._confirmed: Mapping[str, str] | None = None  # the undecided files that `is_unchanged` has agreed to

    @property
    def is_test(self) -> npt.NDArray[np.bool_]:
        """Whether each file is held out, (N,) bool. Reads the files.

        Raises:
            UserError: Other files are unreadable than when `is_unchanged` returned True.
        """
        return self._decided[0]

    @property
    def undecided(self) -> dict[str, str]:
        """Files that could not be read: the reason by printable name. Reads the files as `is_test` does."""
        return self._decided[1]

    @cached_property
    def _decided(self) -> tuple[npt.NDArray[np.bool_], dict[str, str]]:
        digests = np.zeros(len(self._files), dtype=np.uint64)
        known = np.ones(len(self._files), dtype=np.bool_)
        undecided = {}
        for position, found in enumerate(self._digests(self._files)):
            if isinstance(found, str):
                known[position] = False
                undecided[printable(self._files[position].name)] = found
            else:
                digests[position] = found
        if self._confirmed is not None and self._confirmed != undecided:
            raise UserError(
                f"{self._root}: other files are readable than at the start of ingest; run ingest again when the folder "
                "no longer changes"
            )
        chosen = np.zeros(len(known), dtype=np.bool_)
        chosen[known] = held_out(digests[known], self._labels[known], self._fraction)
        return chosen, undecided

    def is_unchanged(self, undecided: Mapping[str, str]) -> bool:
        """Return whether the same files are unreadable as in the last version; the others are assumed to be readable.

        Args:
            undecided: The files that were unreadable then: the reason by printable name.
        """
        if "_decided" in self.__dict__:
            return undecided == self.undecided
        if self._confirmed is None and undecided == self._still_unreadable(undecided):
            self._confirmed = undecided
        return undecided == self._confirmed

    def _still_unreadable(self, names: Collection[str]) -> dict[str, str]:
        """The reason by printable name, of the files in `names`."""
        files = [file for file in self._files if printable(file.name) in names] if names else []
        found = zip(files, self._digests(files), strict=True)
        return {printable(file.name): reason for file, reason in found if isinstance(reason, str)}
