"""A folder of pictures of any size, made squares of `image_size`.

It holds `unlabeled/`, `train/` and `test/`, or some of them; below train and test there is a folder for each class.
Without `test/`, a part of train is held out. Without `train/`, and where there is none of the three folders, no picture
has a label, and all of them are what is learned from and held out of.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cached_property, partial
from hashlib import blake2b, sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.datasets.decode import RULES, UnreadablePicture
from byol_kedro.datasets.decoders import decode_all
from byol_kedro.datasets.sources.base import SPLITS
from byol_kedro.datasets.sources.classes import Pool, sort_into_classes
from byol_kedro.datasets.sources.hold_out import digest_file, held_out
from byol_kedro.datasets.sources.layout import find_files
from byol_kedro.datasets.sources.walk import File, printable
from byol_kedro.datasets.streams import UNKNOWN_LABEL, ImageStream, Index, Pixels
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest

PIECE = 2_000_000  # bytes in one batch
NAMED = 10  # broken pictures in an error

Rows = npt.NDArray[np.int64]

logger = get_logger(__name__)


class Folder:
    """The folders are looked through when it is opened; files are read when a stream is."""

    name = "folder"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        self._root = root
        self._parameters = parameters
        found, ignored = find_files(root)
        self._class_names, (train, test) = sort_into_classes(root, found["train"], found["test"])
        if not found["train"]:
            # Without labels nothing tells the two apart, and there has to be something to hold out of.
            found["train"], found["unlabeled"] = found["unlabeled"], []
            ignored["train"], ignored["unlabeled"] = ignored["train"] + ignored["unlabeled"], Counter()
            train = np.full(len(found["train"]), UNKNOWN_LABEL, dtype=np.int64)
        if not self._class_names:
            logger.info("%s has no folders of classes: what needs labels is left out", printable(str(root)))
        unlabeled = np.full(len(found["unlabeled"]), UNKNOWN_LABEL, dtype=np.int64)
        self._pools = {
            split: Pool(found[split], labels, self._keys(found[split]), dict(ignored[split]))
            for split, labels in zip(SPLITS, (unlabeled, train, test), strict=True)
        }
        self._hold_out = not found["test"]

    def stream(self, split: str) -> ImageStream:
        pool = self._pools["train" if split == "test" and self._hold_out else split]
        fraction = self._parameters.test_fraction if self._hold_out and split != "unlabeled" else None
        return ImageStream(
            side=self._parameters.image_size,
            class_names=self._class_names,
            source=self.name,
            origin={
                "source": self.name,
                "split": split,
                "files": sha256(pool.keys.data).hexdigest(),
                "class_names": self._class_names,
                "test_fraction": fraction,
                "max_broken": self._parameters.max_broken,
                "ignored": pool.ignored,
            },
            index=partial(self._index, split, pool),
            batches=partial(self._batches, split, pool),
            ignored={} if split == "test" and self._hold_out else pool.ignored,
            held_out=split == "test" and self._hold_out,
        )

    def _index(self, split: str, pool: Pool) -> Index:
        rows = self._rows(split, pool)
        return Index(pool.labels[rows], [printable(pool.files[row].name) for row in rows], pool.keys[rows])

    def _rows(self, split: str, pool: Pool) -> Rows:
        """Which files of the pool belong to the split."""
        if split == "unlabeled" or not self._hold_out:
            return np.arange(len(pool.files))
        return np.flatnonzero(self._held_out if split == "test" else ~self._held_out)

    @cached_property
    def _held_out(self) -> npt.NDArray[np.bool_]:
        train = self._pools["train"]
        digests = np.array([digest_file(self._root / file.name) for file in train.files], dtype=np.uint64)
        return held_out(digests, train.labels, self._parameters.test_fraction)

    def _keys(self, files: list[File]) -> Pixels:
        """(N, 16) uint8: of all that the pixels of each file depend on."""
        rules = f"{RULES} {version('pillow')} {self._parameters.image_size}"
        texts = (f"{rules} {file.size} {file.time} {file.name}" for file in files)
        keys = b"".join(blake2b(t.encode("utf-8", "surrogateescape"), digest_size=16).digest() for t in texts)
        return np.frombuffer(keys, dtype=np.uint8).reshape(-1, 16)

    def _batches(self, split: str, pool: Pool, wanted: Rows) -> Iterator[Pixels | UnreadablePicture]:
        rows = self._rows(split, pool)
        names = [pool.files[row].name for row in rows[wanted]]
        side = self._parameters.image_size
        broken: list[str] = []
        batch: list[Pixels] = []
        for name, picture in zip(names, decode_all((self._root / n for n in names), side), strict=True):
            if isinstance(picture, UnreadablePicture):
                broken.append(f"{printable(name)} ({picture})")
                self._check(broken, len(rows), split, ended=False)
            if batch and (type(picture) is not type(batch[0]) or len(batch) * batch[0].nbytes >= PIECE):
                yield _stacked(batch)
                batch = []
            if isinstance(picture, UnreadablePicture):
                yield picture
            else:
                batch.append(picture)
        if batch:
            yield _stacked(batch)
        self._check(broken, len(rows), split, ended=True)

    def _check(self, broken: list[str], count: int, split: str, *, ended: bool) -> None:
        """UserError when too many are broken; with fewer than NAMED of them, when all are known."""
        part = self._parameters.max_broken
        allowed = _allowed(part, count)
        if len(broken) <= allowed or not (ended or len(broken) >= NAMED):
            return
        enough = f"{ceil(100 * len(broken) / count) / 100:g}" if ended else "…"
        raise UserError(
            f"{'' if ended else 'at least '}{len(broken)} of {count} pictures for {split} in {self._root} cannot be "
            f"read, {allowed} {'is' if allowed == 1 else 'are'} allowed (ingest.max_broken: {part:g}): "
            f"{'; '.join(broken[:NAMED])}; put whole files in their place, remove them, or have them left out with "
            f"--params ingest.max_broken={enough}"
        )


def _stacked(batch: list[Pixels]) -> Pixels:
    """(n, 3, side, side) of images of one kind, of that kind."""
    return np.stack(batch).view(type(batch[0]))


def _allowed(part: float, count: int) -> int:
    """How many of `count` images may be broken: `part` of them; unless it is 0, one in any case, if another is left."""
    by_part = int(round(part * count, 6))  # 0.29 · 100 is 28.999999999999996
    return max(by_part, min(1, count - 1)) if part else 0
