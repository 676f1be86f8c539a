"""A folder of images of any size, made squares of `image_size`.

It holds `unlabeled/`, `train/` and `test/`, or some of them; below train and test there is a folder for each class.
Without `test/`, a part of train is held out. Without `train/`, and where there is none of the three folders, no image
has a label, and all of them are what is learned from and held out of.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import blake2b, sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.decode import RULES, UnreadableImage
from byol_kedro.files.decoders import Decoded, decode_all
from byol_kedro.files.user_files import content_of, reason_of
from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest
from byol_kedro.sources.classes import Pool, sort_into_classes
from byol_kedro.sources.hold_out import Division
from byol_kedro.sources.layout import find_files
from byol_kedro.sources.source import SPLITS
from byol_kedro.sources.stream import UNKNOWN_LABEL, ImageStream, Index, Pixels
from byol_kedro.sources.walk import File, printable

PIECE = 2_000_000  # bytes in one batch
NAMED = 10  # broken images in an error

Rows = npt.NDArray[np.int64]

logger = get_logger(__name__)


class Folder:
    """The folders are looked through when it is opened; files are read when a stream is."""

    name = "folder"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:  # noqa: ARG002  # nothing is drawn
        self._root = root
        self._parameters = parameters
        self._unreadable: dict[str, str] = {}  # why, by the name of the file
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
        train_pool = self._pools["train"]
        # A part of train where there is no test, else none.
        self._division = None if found["test"] else Division(
            root, train_pool.files, train_pool.labels, parameters.test_fraction, self._unreadable
        )  # fmt: skip

    def stream(self, split: str) -> ImageStream:
        division = None if split == "unlabeled" else self._division
        pool = self._pools["train" if division else split]
        return ImageStream(
            side=self._parameters.image_size,
            class_names=self._class_names,
            source=self.name,
            origin={
                "source": self.name,
                "split": split,
                "files": sha256(pool.keys.data).hexdigest(),
                "class_names": self._class_names,
                "test_fraction": self._parameters.test_fraction if division else None,
                "max_broken": self._parameters.max_broken,
                "ignored": pool.ignored,
            },
            index=partial(self._index, split, pool),
            batches=partial(self._batches, split, pool),
            ignored={} if split == "test" and division else pool.ignored,
            held_out=split == "test" and division is not None,
            same_as=partial(self._same_as, split, pool),
        )

    def _index(self, split: str, pool: Pool) -> Index:
        rows = self._rows(split, pool)
        names = [printable(pool.files[row].name) for row in rows]
        undecided = self._division.undecided if self._division and split != "unlabeled" else {}
        return Index(pool.labels[rows], names, pool.keys[rows], undecided)

    def _rows(self, split: str, pool: Pool) -> Rows:
        """Which files of the pool belong to the split."""
        if split == "unlabeled" or self._division is None:
            return np.arange(len(pool.files))
        return np.flatnonzero(self._division.held_out == (split == "test"))

    def _same_as(self, split: str, pool: Pool, broken: Mapping[str, str], undecided: Mapping[str, str]) -> bool:
        if split != "unlabeled" and self._division and not self._division.agrees(undecided):
            return False
        again = {name: reason for name, reason in broken.items() if name not in undecided}
        if not again:
            return True
        files = {name: file for file in pool.files if (name := printable(file.name)) in again}
        decoded = decode_all((self._root / file.name for file in files.values()), self._parameters.image_size)
        reasons = (str(one) if isinstance(one, UnreadableImage) else "" for one in decoded)
        return dict(zip(files, reasons, strict=True)) == again

    def _keys(self, files: list[File]) -> Pixels:
        """(N, 16) uint8: of all that the pixels of each file depend on."""
        rules = f"{RULES} {version('pillow')} {self._parameters.image_size} {self._root.resolve()}"
        texts = (f"{rules}\0{file.state or self._content(file)}\0{file.name}" for file in files)
        keys = b"".join(blake2b(t.encode("utf-8", "surrogateescape"), digest_size=16).digest() for t in texts)
        return np.frombuffer(keys, dtype=np.uint8).reshape(-1, 16)

    def _content(self, file: File) -> str:
        """Of a file whose metadata tells nothing. One that cannot be read now is not read later either: its key would
        be that of any content."""
        reason = file.unreadable
        if not reason:
            try:
                return content_of(self._root / file.name)
            except OSError as error:
                reason = reason_of(error)
        self._unreadable[file.name] = reason
        return "unreadable"

    def _batches(self, split: str, pool: Pool, wanted: Rows) -> Iterator[Pixels | UnreadableImage]:
        rows = self._rows(split, pool)
        names = [pool.files[row].name for row in rows[wanted]]
        broken: list[str] = []
        batch: list[Pixels] = []
        for name, image in zip(names, self._images(names), strict=True):
            if isinstance(image, UnreadableImage):
                broken.append(f"{printable(name)} ({image})")
                self._check(broken, len(rows), split, ended=False)
            if batch and (type(image) is not type(batch[0]) or len(batch) * batch[0].nbytes >= PIECE):
                yield _stacked(batch)
                batch = []
            if isinstance(image, UnreadableImage):
                yield image
            else:
                batch.append(image)
        if batch:
            yield _stacked(batch)
        self._check(broken, len(rows), split, ended=True)

    def _images(self, names: list[str]) -> Iterator[Decoded]:
        readable = (self._root / name for name in names if name not in self._unreadable)
        decoded = decode_all(readable, self._parameters.image_size)
        for name in names:
            yield UnreadableImage(self._unreadable[name]) if name in self._unreadable else next(decoded)

    def _check(self, broken: list[str], count: int, split: str, *, ended: bool) -> None:
        """UserError when too many are broken; with fewer than NAMED of them, when all are known."""
        part = self._parameters.max_broken
        allowed = _allowed(part, count)
        if len(broken) <= allowed or not (ended or len(broken) >= NAMED):
            return
        enough = f"{ceil(100 * len(broken) / count) / 100:g}" if ended else "…"
        raise UserError(
            f"{'' if ended else 'at least '}{len(broken)} of {count} images for {split} in {self._root} cannot be "
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
