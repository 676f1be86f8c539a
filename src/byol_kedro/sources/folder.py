"""A folder of images of any size, resized to squares of `image_size` pixels.

It contains `unlabeled/`, `train/` and `test/`, or some of them; train and test have one folder per class. Without
`test/`, a part of train is held out. Without `train/`, or without any of the three folders, the images are unlabeled
and used as train, of which a part is held out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b, sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError
from byol_kedro.files.decode import RULES, UnreadableImage
from byol_kedro.files.decoders import Decoded, decode_all
from byol_kedro.files.user_files import content_hash, reason_of
from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest
from byol_kedro.sources.classes import LabeledFiles, labels_from_folders
from byol_kedro.sources.hold_out import HoldOut
from byol_kedro.sources.layout import find_files
from byol_kedro.sources.source import SPLITS, UNKNOWN_LABEL, Index, Pixels, Positions, Source
from byol_kedro.sources.walk import File, printable

BATCH_BYTES = 2_000_000
SHOWN = 10  # unreadable images in an error

logger = get_logger(__name__)


class FolderSource(Source):
    """Reads a folder. The constructor lists the files; they are decoded when a stream is saved."""

    name = "folder"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """List the files."""
        super().__init__(root, parameters, seed)
        self._unreadable: dict[str, str] = {}  # the reason by file name
        found, ignored = find_files(root)
        self.class_names, (train, test) = labels_from_folders(root, found["train"], found["test"])
        if not found["train"]:
            # Without labels the two are the same, and test images have to be held out of something.
            found["train"], found["unlabeled"] = found["unlabeled"], []
            ignored["train"], ignored["unlabeled"] = ignored["train"] + ignored["unlabeled"], Counter()
            train = _unknown(found["train"])
        if not self.class_names:
            logger.info("%s has no class folders: results that need labels are skipped", printable(str(root)))
        labels = (_unknown(found["unlabeled"]), train, test)
        self._files = {
            split: LabeledFiles(found[split], of_split, self._keys(found[split]), dict(ignored[split]))
            for split, of_split in zip(SPLITS, labels, strict=True)
        }
        pool = self._files["train"]
        self._hold_out = None
        if not found["test"]:
            self._hold_out = HoldOut(root, pool.files, pool.labels, parameters.test_fraction, self._unreadable)

    def origin(self, split: str) -> dict[str, Any]:
        """Return a hash of the keys of all files that the split is selected from, and the parameters."""
        pool, is_part = self._pool(split), self._is_part(split)
        return {
            "files": sha256(pool.keys.data).hexdigest(),
            "class_names": self.class_names,
            "test_fraction": self.parameters.test_fraction if is_part else None,
            "max_broken": self.parameters.folder.max_broken,
            "ignored": pool.ignored,
        }

    def index(self, split: str) -> Index:
        """Return labels, names and keys. Reads parts of the files if test images are held out."""
        pool, rows = self._pool(split), self._rows(split)
        names = [printable(pool.files[row].name) for row in rows]
        undecided = self._hold_out.undecided if self._hold_out and split != "unlabeled" else {}
        return Index(pool.labels[rows], names, pool.keys[rows], undecided)

    def batches(self, split: str) -> Iterator[Pixels | UnreadableImage]:
        """Decode all images of a split."""
        return self.batches_at(split, np.arange(len(self._rows(split))))

    def batches_at(self, split: str, positions: Positions) -> Iterator[Pixels | UnreadableImage]:
        """Decode the images at `positions`.

        Raises:
            UserError: More images are unreadable than `ingest.folder.max_broken` allows.
        """
        pool, rows = self._pool(split), self._rows(split)
        names = [pool.files[row].name for row in rows[positions]]
        broken: list[str] = []
        batch: list[Pixels] = []
        for name, image in zip(names, self._decode(names), strict=True):
            if isinstance(image, UnreadableImage):
                broken.append(f"{printable(name)} ({image})")
                self._check_broken(broken, len(rows), split, is_complete=False)
            if batch and (type(image) is not type(batch[0]) or len(batch) * batch[0].nbytes >= BATCH_BYTES):
                yield _stacked(batch)
                batch = []
            if isinstance(image, UnreadableImage):
                yield image
            else:
                batch.append(image)
        if batch:
            yield _stacked(batch)
        self._check_broken(broken, len(rows), split, is_complete=True)

    def ignored(self, split: str) -> dict[str, int]:
        """Return how many files were ignored; for a split of train, they are reported with train."""
        return {} if self.is_held_out(split) else self._pool(split).ignored

    def is_held_out(self, split: str) -> bool:
        """Return whether the split is the held-out part of train."""
        return split == "test" and self._hold_out is not None

    def is_unchanged(self, split: str, broken: Mapping[str, str], undecided: Mapping[str, str]) -> bool:
        """Return whether the same files are still unreadable for the same reasons."""
        if split != "unlabeled" and self._hold_out and not self._hold_out.is_unchanged(undecided):
            return False
        again = {name: reason for name, reason in broken.items() if name not in undecided}
        if not again:
            return True
        files = {name: file for file in self._pool(split).files if (name := printable(file.name)) in again}
        decoded = decode_all((self.root / file.name for file in files.values()), self.side)
        reasons = (str(one) if isinstance(one, UnreadableImage) else "" for one in decoded)
        return dict(zip(files, reasons, strict=True)) == again

    def _is_part(self, split: str) -> bool:
        """Whether the split is a part of the files in train."""
        return split != "unlabeled" and self._hold_out is not None

    def _pool(self, split: str) -> LabeledFiles:
        """The files that the split is selected from."""
        return self._files["train" if self._is_part(split) else split]

    def _rows(self, split: str) -> Positions:
        """Which of these files are in the split."""
        if split == "unlabeled" or self._hold_out is None:
            return np.arange(len(self._pool(split).files))
        return np.flatnonzero(self._hold_out.is_test == (split == "test"))

    def _keys(self, files: list[File]) -> Pixels:
        """(N, 16) uint8, hashes of everything that the pixels of each file depend on."""
        rules = f"{RULES} {version('pillow')} {self.side} {self.root.resolve()}"
        texts = (f"{rules}\0{file.state or self._digest(file)}\0{file.name}" for file in files)
        keys = b"".join(blake2b(t.encode("utf-8", "surrogateescape"), digest_size=16).digest() for t in texts)
        return np.frombuffer(keys, dtype=np.uint8).reshape(-1, 16)

    def _digest(self, file: File) -> str:
        """The hash of a file whose metadata are not precise enough.

        An unreadable file is not decoded later either: its key would be the same for every content.
        """
        reason = file.unreadable
        if not reason:
            try:
                return content_hash(self.root / file.name)
            except OSError as error:
                reason = reason_of(error)
        self._unreadable[file.name] = reason
        return "unreadable"

    def _decode(self, names: list[str]) -> Iterator[Decoded]:
        readable = (self.root / name for name in names if name not in self._unreadable)
        decoded = decode_all(readable, self.side)
        for name in names:
            yield UnreadableImage(self._unreadable[name]) if name in self._unreadable else next(decoded)

    def _check_broken(self, broken: list[str], count: int, split: str, *, is_complete: bool) -> None:
        """Raise UserError if too many images are unreadable: as soon as `SHOWN` are known, or at the end."""
        part = self.parameters.folder.max_broken
        allowed = _allowed(part, count)
        if len(broken) <= allowed or not (is_complete or len(broken) >= SHOWN):
            return
        sufficient = f"{ceil(100 * len(broken) / count) / 100:g}" if is_complete else "…"
        raise UserError(
            f"{'' if is_complete else 'at least '}{len(broken)} of {count} images for {split} in {self.root} cannot be "
            f"read, {allowed} {'is' if allowed == 1 else 'are'} allowed (ingest.folder.max_broken: {part:g}): "
            f"{'; '.join(broken[:SHOWN])}; replace or remove these files, or skip them with "
            f"--params ingest.folder.max_broken={sufficient}"
        )


def _unknown(files: list[File]) -> npt.NDArray[np.int64]:
    return np.full(len(files), UNKNOWN_LABEL, dtype=np.int64)


def _stacked(batch: list[Pixels]) -> Pixels:
    """(n, 3, side, side), of the class of the first image."""
    return np.stack(batch).view(type(batch[0]))


def _allowed(part: float, count: int) -> int:
    """How many of `count` images may be unreadable: `part` of them; at least one of several, unless `part` is 0."""
    by_part = int(round(part * count, 6))  # 0.29 · 100 is 28.999999999999996
    return max(by_part, min(1, count - 1)) if part else 0
