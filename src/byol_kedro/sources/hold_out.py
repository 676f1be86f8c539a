"""Test images for a source that has none: a part of each class, chosen by what is in the images.

Neither names nor the order of files matter, and the same image twice in a class is on one side both times. A
image that is added moves at most one other of its class.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.user_files import open_regular, reason_of
from byol_kedro.sources.walk import File, printable

END = 65_536  # bytes at each end of a file that tell it from others; camera files differ long before


def held_out(digests: npt.NDArray[np.uint64], labels: npt.NDArray[np.int64], fraction: float) -> npt.NDArray[np.bool_]:
    """(N,) bool: in each class the `fraction` with the lowest digests; at least one and never all, where there are two.

    digests: (N,) of the images' contents. labels: (N,) int64; unknown ones are a class like others.
    """
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        distinct, rank = np.unique(digests[members], return_inverse=True)
        count = min(max(1, round(fraction * len(distinct))), len(distinct) - 1)
        chosen[members] = rank < count
    return chosen


def digest_file(path: Path) -> int:
    """Of its size and its first and last 64 kB: reading 1 TB of large files only for this would take hours.

    Raises OSError when it cannot be read.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        first = file.read(END)
        file.seek(max(END, size - END))
        return digest(size.to_bytes(8, "little") + first + file.read(END))


def digest(content: bytes) -> int:
    """64 bits."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


class Division:
    """Which of some files are held out, decided once for both halves: what is in neither, or in both, would be wrong.

    unreadable: why files could not be read, by their names; those that cannot be read here are added. They are not held
    out, and have no say in what is.
    """

    def __init__(
        self, root: Path, files: list[File], labels: npt.NDArray[np.int64], fraction: float, unreadable: dict[str, str]
    ) -> None:
        self._root, self._files, self._labels, self._fraction = root, files, labels, fraction
        self._unreadable = unreadable
        self._agreed: Mapping[str, str] | None = None

    @property
    def held_out(self) -> npt.NDArray[np.bool_]:
        """(N,) bool. Reads the files. Raises UserError when that contradicts what `agrees` has said before."""
        return self._decided[0]

    @property
    def undecided(self) -> dict[str, str]:
        """Why some files could not be read, by their printable names. Reads the files as `held_out` does."""
        return self._decided[1]

    @cached_property
    def _decided(self) -> tuple[npt.NDArray[np.bool_], dict[str, str]]:
        digests = np.zeros(len(self._files), dtype=np.uint64)
        for position, file in enumerate(self._files):
            if file.name not in self._unreadable:
                try:
                    digests[position] = digest_file(self._root / file.name)
                except OSError as error:
                    self._unreadable[file.name] = reason_of(error)
        known = np.array([file.name not in self._unreadable for file in self._files], dtype=np.bool_)
        unknown = [file.name for file, is_known in zip(self._files, known, strict=True) if not is_known]
        undecided = {printable(name): self._unreadable[name] for name in unknown}
        if self._agreed is not None and self._agreed != undecided:
            raise UserError(
                f"{self._root}: of its files others can be read than a moment ago; run ingest again when the folder is "
                "in order"
            )
        chosen = np.zeros(len(known), dtype=np.bool_)
        chosen[known] = held_out(digests[known], self._labels[known], self._fraction)
        return chosen, undecided

    def agrees(self, undecided: Mapping[str, str]) -> bool:
        """Whether the same files cannot be read now as when the last version was divided; the rest is taken for read.

        undecided: why they could not, by their printable names.
        """
        if "_decided" in self.__dict__:
            return undecided == self.undecided
        if self._agreed is None and undecided == self._again(undecided):
            self._agreed = undecided
        return undecided == self._agreed

    def _again(self, names: Collection[str]) -> dict[str, str]:
        """Why files cannot be read now, of those with these printable names."""
        reasons = {}
        for file in self._files if names else ():
            if (name := printable(file.name)) in names:
                try:
                    digest_file(self._root / file.name)
                except OSError as error:
                    reasons[name] = reason_of(error)
        return reasons
