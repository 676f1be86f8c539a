"""One split of images, as a source gives it and before it is written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.files.decode import UnreadableImage
from byol_kedro.log import Brief

UNKNOWN_LABEL = -1

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Index(Brief):
    """What is known of each image before its pixels are read.

    labels: (N,) int64, -1 where unknown. names: N of them, unique over all splits. keys: (N, 16) uint8, another one
    as soon as the pixels may be others; none where the source cannot tell. undecided: why some images could not be
    read when it was decided what is held out, by the name.
    """

    labels: npt.NDArray[np.int64]
    names: list[str]
    keys: Pixels | None = None
    undecided: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class ImageStream(Brief):
    """One split, as a source gives it: little at once, the pixels in pieces.

    side: of every image, in pixels.
    origin: what the pixels depend on, of JSON types (`stamps` of the files, parameters, split). Where it is that of the
    last version, neither `index` nor `batches` is called.
    batches: gives arrays (n, 3, side, side) uint8 that together hold all images in the order of the index, anew
    at every call; `NarrowPixels`, where the range of their values does not fit. Where the index has keys, it takes
    the positions (M,) int64 of those that are wanted, and an `UnreadableImage` in the place of an array stands for
    one image.
    folds: positions (n,) int64 in the split, an array for each fold.
    ignored: how many files were passed over, by the reason.
    held_out: whether it was taken out of train, for want of test images.
    same_as: whether the last version, of the same origin, is what the stream would give, from why images could not be
    read then: those that are not in it, and those that are `undecided`. Nothing in their metadata says that they can be
    read now.
    """

    side: int
    class_names: list[str]
    source: str
    origin: dict[str, Any]
    index: Callable[[], Index]
    batches: Callable[..., Iterator[Pixels | UnreadableImage]]
    folds: list[npt.NDArray[np.int64]] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    held_out: bool = False
    same_as: Callable[[Mapping[str, str], Mapping[str, str]], bool] = lambda broken, _: not broken

    @cached_property
    def _known(self) -> Index:
        return self.index()

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        return self._known.labels

    @property
    def names(self) -> list[str]:
        return self._known.names

    @property
    def keys(self) -> Pixels | None:
        return self._known.keys

    @property
    def undecided(self) -> dict[str, str]:
        return self._known.undecided

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.count, 3, self.side, self.side

    @property
    def nbytes(self) -> int:
        return self.count * 3 * self.side**2
