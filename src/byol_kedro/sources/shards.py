"""Sources whose images are in a few large files, each of one split: the files, and reading at some of their images."""

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.files.remote import RemotePath
from byol_kedro.files.user_files import reason_of, stamps
from byol_kedro.parameters import Ingest
from byol_kedro.sources.encoded import EncodedSource
from byol_kedro.sources.hold_out import digest
from byol_kedro.sources.labeling import Listing, label, split_in, with_test
from byol_kedro.sources.layout import PAIR_FILES
from byol_kedro.sources.outputs import is_data_root
from byol_kedro.sources.walk import File, is_ignored_folder, printable


@dataclass(frozen=True)
class Shard:
    """A file of images.

    Attributes:
        path: The file.
        name: Its path relative to `raw_root` without the suffix, the first part of the names of its images.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class Member:
    """An image in a shard.

    Attributes:
        name: Its name, unique in the shard.
        position: Where it is, a number whose meaning the source knows; ascending in a shard.
        label: The name of its class; None if unknown.
        size: Its bytes, if the source needs to know.
    """

    name: str
    position: int
    label: str | None
    size: int = 0


Place = tuple[int, int]  # position and size


class ShardSource(EncodedSource):
    """Images in shards. A subclass sets `suffixes` and implements `_members` and `_read`."""

    suffixes: tuple[str, ...]

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """List the images of all shards."""
        super().__init__(root, parameters, seed)
        splits = _by_split(root, find_shards(root, self.suffixes))
        self._shards: list[Shard] = []
        self._where: dict[str, tuple[int, Place]] = {}  # number of the shard, and place in it, by name
        listings = {split: self._listing(shards) for split, shards in with_test(root, splits).items()}
        self.class_names, found, labels = label(root, listings, self._class_order())
        self._arrange(found, labels)

    @abstractmethod
    def _members(self, shard: Shard) -> Iterator[Member]:
        """Yield the images of a shard without reading their pixels."""

    @abstractmethod
    def _read(self, shard: Shard, places: Sequence[Place]) -> Iterator[bytes | UnreadableImage]:
        """Yield some images of a shard, encoded, in the order of the shard."""

    def _class_order(self) -> Sequence[str]:
        """All classes in their order, if it is given; called after all shards were listed."""
        return ()

    def _listing(self, shards: Sequence[Shard]) -> Listing:
        listing = Listing()
        for shard in shards:
            try:
                path = shard.path
                stamp = path.state() if isinstance(path, RemotePath) else repr(stamps([path]))
                state = f"{digest(stamp.encode()):016x}"
            except OSError as error:
                raise UserError(f"{shard.path} cannot be read: {reason_of(error)}") from error
            number = len(self._shards)
            self._shards.append(shard)
            for member in self._members(shard):
                name = f"{shard.name}/{member.name}"
                if name in self._where:
                    raise UserError(f"{shard.path} has two images named {printable(member.name)}; write it again")
                self._where[name] = number, (member.position, member.size)
                listing.add(File(name, f"{state} {member.position}"), member.label)
        return listing

    def _contents(self, files: Sequence[File]) -> Iterator[Path | bytes | UnreadableImage]:
        places = (self._where[file.name] for file in files)
        for number, some in groupby(places, key=lambda place: place[0]):
            yield from self._read(self._shards[number], [place for _, place in some])


def find_shards(root: Path, suffixes: tuple[str, ...]) -> list[Shard]:
    """Return the files below a folder that end in one of `suffixes`, or `root` itself, in the order of their names.

    Raises:
        UserError: There is none, or two have the same name but for the suffix.
    """
    is_remote_file = isinstance(root, RemotePath) and root.name.endswith(suffixes)
    if is_remote_file or not root.is_dir():
        if root.exists() and root.name.endswith(suffixes):
            return [Shard(root, _stem(root.name, suffixes))]
        state = f"is neither a folder nor a {suffixes[0]} file" if root.exists() else "does not exist"
        raise UserError(f"raw_root {root} {state}; set the folder of the shards with --params raw_root=...")
    shards: dict[str, Shard] = {}
    every = _remote_names(root, suffixes) if isinstance(root, RemotePath) else _names(str(root), suffixes)
    for name in sorted(every):
        stem = _stem(name, suffixes)
        if stem in shards:
            raise UserError(f"{shards[stem].path} and {root / name} have the same name; remove or rename one of them")
        shards[stem] = Shard(root / name, stem)
    if not shards:
        raise UserError(
            f"no {' or '.join(suffixes)} files found in {root}; set their folder with --params raw_root=..."
        )
    return list(shards.values())


def _remote_names(root: RemotePath, suffixes: tuple[str, ...]) -> Iterator[str]:
    for name in root.find():
        *folders, file = name.split("/")
        hidden = file[0] == "." or any(map(is_ignored_folder, folders))
        if file.endswith(suffixes) and not hidden and file not in PAIR_FILES:
            yield name


def _names(root: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Hidden files, folders of systems, outputs of runs and folders that are linked a second time are left out."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [name for name in folders if not is_ignored_folder(name)]
        if real in seen or is_data_root(folder):
            folders.clear()
            continue
        seen.add(real)
        for name in files:
            if name.endswith(suffixes) and name[0] != "." and name not in PAIR_FILES:
                yield os.path.relpath(f"{folder}/{name}", root)


def _stem(name: str, suffixes: tuple[str, ...]) -> str:
    return name.removesuffix(max((suffix for suffix in suffixes if name.endswith(suffix)), key=len))


def _by_split(root: Path, shards: list[Shard]) -> dict[str, list[Shard]]:
    """The shards of each split, by a word in their names; all are train if none has one."""
    splits: dict[str | None, list[Shard]] = {}
    for shard in shards:
        splits.setdefault(split_in(shard.name), []).append(shard)
    without = splits.pop(None, [])
    if without and splits:
        raise UserError(
            f"{root}: {printable(without[0].path.name)} names no split, but others do; train, test, validation or "
            "unlabeled expected in the name of the file or of its folder"
        )
    return {str(split): some for split, some in splits.items()} or {"train": without}
