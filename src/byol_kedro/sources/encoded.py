"""Sources of encoded images of any size, which are resized to squares of `image_size` pixels.

What they have in common: labels, held-out test images, keys, unreadable images and decoding. A subclass lists the
images, calls `_arrange`, and implements `_contents`.
"""

from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from byol_kedro.files.remote import RemotePath, read_all
from byol_kedro.files.user_files import content_hash, reason_of
from byol_kedro.log import get_logger
from byol_kedro.sources.hold_out import HoldOut, digest_content
from byol_kedro.sources.source import SPLITS, UNKNOWN_LABEL, Index, Pixels, Positions, Source
from byol_kedro.sources.walk import File, printable

BATCH_BYTES = 2_000_000
SHOWN = 10  # unreadable images in an error

Labels = npt.NDArray[np.int64]

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class LabeledFiles:
    """Image files with labels (N,) int64 and keys (N, 16) uint8, and how many other files were ignored, by reason."""

    files: list[File]
    labels: Labels
    keys: Pixels
    ignored: dict[str, int]


class EncodedSource(Source):
    """Encoded images; they are decoded when a stream is saved. `ingest.folder` has the parameters."""

    reads_addresses = True

    @abstractmethod
    def _contents(self, files: Sequence[File]) -> Iterator[Path | bytes | UnreadableImage]:
        """Yield each image, encoded: the path of its file, its bytes, or why it cannot be read."""

    def _arrange(
        self,
        found: Mapping[str, list[File]],
        labels: Mapping[str, Labels],
        ignored: Mapping[str, Counter[str]] | None = None,
    ) -> None:
        """Set the images of each split, and hold out test images if there are none.

        Args:
            found: The images of each of `SPLITS`. Without train, unlabeled is used as train.
            labels: Labels of `train` and `test`, (N,) int64.
            ignored: How many files of each split were ignored, by reason.
        """
        files, others = dict(found), dict(ignored or {split: Counter() for split in SPLITS})
        all_labels = {**labels, "unlabeled": unknown(files["unlabeled"])}
        if not files["train"]:
            # Without labels the two are the same, and test images have to be held out of something.
            files["train"], files["unlabeled"] = files["unlabeled"], []
            others["train"], others["unlabeled"] = others["train"] + others["unlabeled"], Counter()
            all_labels |= {"train": unknown(files["train"]), "unlabeled": unknown([])}
        self._files = {
            split: LabeledFiles(files[split], all_labels[split], self._keys(files[split]), dict(others[split]))
            for split in SPLITS
        }
        pool = self._files["train"]
        self._hold_out = None
        if not files["test"]:
            fraction = self.parameters.test_fraction
            self._hold_out = HoldOut(self.root, pool.files, pool.labels, fraction, self._digests)

    def origin(self, split: str) -> dict[str, Any]:
        """Return a hash of the keys of all files that the split is selected from, and the parameters."""
        pool, is_part = self._pool(split), self._is_part(split)
        return {
            "files": sha256(pool.keys.data).hexdigest(),
            "labels": sha256(pool.labels.data).hexdigest(),
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
        files = [pool.files[row] for row in rows[positions]]
        broken: list[str] = []
        batch: list[Pixels] = []
        for file, image in zip(files, self._decode(files), strict=True):
            if isinstance(image, UnreadableImage):
                broken.append(f"{printable(file.name)} ({image})")
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
        reasons = (str(one) if isinstance(one, UnreadableImage) else "" for one in self._decode([*files.values()]))
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
        texts = (f"{rules}\0{file.state or self._state(file)}\0{file.name}" for file in files)
        keys = b"".join(blake2b(t.encode("utf-8", "surrogateescape"), digest_size=16).digest() for t in texts)
        return np.frombuffer(keys, dtype=np.uint8).reshape(-1, 16)

    def _state(self, file: File) -> str:
        """A text that changes with the content of a file whose state is empty."""
        raise NotImplementedError

    def _digests(self, files: Sequence[File]) -> Iterator[int | str]:
        """The digest of each file, or why it cannot be read."""
        for file, content in zip(files, self._contents(files), strict=True):
            try:
                yield str(content) if isinstance(content, UnreadableImage) else digest_content(content)
            except OSError as error:
                yield self._failed(file, error)

    def _failed(self, file: File, error: OSError) -> str:  # noqa: ARG002  # for subclasses
        """The reason of an error while a file was read."""
        return reason_of(error)

    def _decode(self, files: Sequence[File]) -> Iterator[Decoded]:
        marks: deque[UnreadableImage | None] = deque()  # of the files that have been read, None if they could be

        def readable() -> Iterator[Path | bytes]:
            for content in self._contents(files):
                marks.append(content if isinstance(content, UnreadableImage) else None)
                if not isinstance(content, UnreadableImage):
                    yield content

        for image in decode_all(readable(), self.side):
            while (mark := marks.popleft()) is not None:
                yield mark
            yield image
        yield from (mark for mark in marks if mark is not None)

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


class FilesSource(EncodedSource):
    """Encoded images in a file each; `base / name` is the path of a file."""

    base: Path

    def _arrange(
        self,
        found: Mapping[str, list[File]],
        labels: Mapping[str, Labels],
        ignored: Mapping[str, Counter[str]] | None = None,
    ) -> None:
        self._unreadable: dict[str, str] = {}  # the reason by file name
        super()._arrange(found, labels, ignored)

    def _contents(self, files: Sequence[File]) -> Iterator[Path | bytes | UnreadableImage]:
        paths = (self.base / file.name for file in files if file.name not in self._unreadable)
        contents = read_all(paths) if isinstance(self.base, RemotePath) else paths
        for file in files:
            reason = self._unreadable.get(file.name)
            content = next(contents) if reason is None else UnreadableImage(reason)
            if isinstance(content, OSError):
                content = UnreadableImage(self._failed(file, content))
            yield content

    def _state(self, file: File) -> str:
        """The hash of a file whose metadata are not precise enough.

        An unreadable file is not decoded later either: its key would be the same for every content.
        """
        reason = file.unreadable
        if not reason:
            try:
                return content_hash(self.base / file.name)
            except OSError as error:
                reason = reason_of(error)
        self._unreadable[file.name] = reason
        return "unreadable"

    def _failed(self, file: File, error: OSError) -> str:
        reason = self._unreadable[file.name] = reason_of(error)
        return reason


def unknown(files: Sequence[File]) -> Labels:
    """Return the label -1 for each file, (N,) int64."""
    return np.full(len(files), UNKNOWN_LABEL, dtype=np.int64)


def _stacked(batch: list[Pixels]) -> Pixels:
    """(n, 3, side, side), of the class of the first image."""
    return np.stack(batch).view(type(batch[0]))


def _allowed(part: float, count: int) -> int:
    """How many of `count` images may be unreadable: `part` of them; at least one of several, unless `part` is 0."""
    by_part = int(round(part * count, 6))  # 0.29 · 100 is 28.999999999999996
    return max(by_part, min(1, count - 1)) if part else 0
