"""Tar files as the package `webdataset` writes them: files of the same name but for the suffix are one image.

`raw_root` is a folder of `train-000000.tar` or `train/000000.tar`, or one file. A sample is consecutive files: an image
`0001.jpg` and its class in `0001.cls`, or as `label` in `0001.json`. `class_names.txt` beside the shards is optional.
"""

import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, cast

from byol_kedro.errors import UserError
from byol_kedro.files.decode import SUFFIXES, UnreadableImage
from byol_kedro.files.remote import is_file, open_file
from byol_kedro.files.user_files import reason_of
from byol_kedro.sources.shards import Member, Place, Shard, ShardSource
from byol_kedro.sources.text import check_distinct, read_class_names
from byol_kedro.sources.walk import printable

CLASS_NAMES = "class_names.txt"
MAX_HEADER = 1 << 20  # bytes; an extended header of a tar file claims its size, and so does a file of a label
MAX_IMAGE = 1 << 28
_SAMPLE = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)")  # as in webdataset: the suffix begins at the first dot


class WebdatasetSource(ShardSource):
    """Reads tar files. The constructor reads their headers and labels, images are read when a stream is saved."""

    name = "webdataset"
    suffixes = (".tar", ".tar.gz", ".tgz")

    def _members(self, shard: Shard) -> Iterator[Member]:
        sample = _Sample("")
        with _opened(shard) as file:
            for info in _headers(file):
                match = _SAMPLE.fullmatch(info.name.removeprefix("./"))
                if not match or not info.isreg() or info.issparse():
                    continue
                key, kind = match[1], match[2].lower()
                if key != sample.key:
                    yield from self._member(shard, sample)
                    sample = _Sample(key)
                if f".{kind.rpartition('.')[2]}" in SUFFIXES and sample.image is None:
                    sample.image = info.offset_data, info.size
                elif kind in ("cls", "json"):
                    sample.words[kind] = _text(shard, file, info)
        yield from self._member(shard, sample)

    def _member(self, shard: Shard, sample: "_Sample") -> Iterator[Member]:
        """The image of a sample, if it has one."""
        if sample.image is not None:
            position, size = sample.image
            yield Member(sample.key, position, self._class_of(shard, sample), size)

    def _class_of(self, shard: Shard, sample: "_Sample") -> str | None:
        label = sample.label(shard)
        if label in ("", "-1"):
            return None
        if not self._names:
            return label
        if not (label.isdecimal() and int(label) < len(self._names)):
            raise UserError(
                f"{shard.path}, {printable(sample.key)}: label {printable(label)} found, 0 to {len(self._names) - 1} "
                f"expected, since {CLASS_NAMES} has {len(self._names)} names"
            )
        return self._names[int(label)]

    def _class_order(self) -> Sequence[str]:
        return self._names

    @cached_property
    def _names(self) -> list[str]:
        path = (self.root if self.root.is_dir() else self.root.parent) / CLASS_NAMES
        names = read_class_names(path) if is_file(path) else []
        check_distinct(path, names)
        return names

    def _read(self, shard: Shard, places: Sequence[Place]) -> Iterator[bytes | UnreadableImage]:
        with _opened(shard) as file:
            for position, size in places:
                if size > MAX_IMAGE:
                    yield UnreadableImage(f"{size:,} bytes, at most {MAX_IMAGE:,} are read")
                    continue
                file.seek(position)
                content = file.read(size)
                if len(content) < size:
                    raise UserError(f"{shard.path} has become shorter; run ingest again when it no longer changes")
                yield content


class _Sample:
    """Consecutive files of one name: the place of the image and the texts that may have its class."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.image: Place | None = None
        self.words: dict[str, str] = {}

    def label(self, shard: Shard) -> str:
        """The class; empty if there is none."""
        if "cls" in self.words or "json" not in self.words:
            return self.words.get("cls", "").strip()
        try:
            described = json.loads(self.words["json"])
        except (ValueError, RecursionError) as error:
            raise UserError(f"{shard.path}, {printable(self.key)}.json is not JSON: {error}; write it again") from None
        label = described.get("label") if isinstance(described, dict) else None
        if label is None or (isinstance(label, int | str) and not isinstance(label, bool)):
            return "" if label is None else str(label).strip()
        raise UserError(f"{shard.path}, {printable(self.key)}.json: a number or a name expected as label")


@contextmanager
def _opened(shard: Shard) -> Iterator[IO[bytes]]:
    """The tar file, decompressed. Raises UserError if it is damaged or not a tar file."""
    try:
        with open_file(shard.path) as file:
            if shard.path.name.endswith(".tar"):
                yield file
            else:
                with gzip.open(file) as unpacked:
                    yield cast("IO[bytes]", unpacked)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{shard.path} is truncated or not a tar file ({error}); download or write it again") from error
    except OSError as error:
        raise UserError(f"{shard.path} cannot be read: {reason_of(error)}") from error


def _headers(file: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(fileobj=_Headers(file), mode="r:") as tar:  # type: ignore[call-overload]  # reads, seeks and tells
        while (info := tar.next()) is not None:
            tar.members.clear()  # it would keep them all
            yield info


class _Headers:
    """A tar file of which only headers are read, so that none of them can claim the whole memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)


def _text(shard: Shard, file: IO[bytes], info: tarfile.TarInfo) -> str:
    """The content of a small file. The position is left as it is."""
    if info.size > MAX_HEADER:
        raise UserError(f"{shard.path}, {printable(info.name)}: {info.size:,} bytes, at most {MAX_HEADER:,} are read")
    before = file.tell()
    file.seek(info.offset_data)
    content = file.read(info.size)
    file.seek(before)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{shard.path}, {printable(info.name)} is not UTF-8 (byte {error.start})") from None
