"""Archives that sources come in: what is in them, and how they are unpacked, whole or not at all."""

import filecmp
import gzip
import posixpath
import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5 as md5_hash
from pathlib import Path
from typing import IO

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import flush
from byol_kedro.files.progress_bar import ProgressBar
from byol_kedro.files.user_files import is_regular

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Member:
    """A file in an archive: its bytes, and its md5 where it is known."""

    size: int
    md5: str | None = None


@dataclass(frozen=True)
class Archive:
    """A tar.gz at `url` whose `members`, by their names, lie in the one folder `folder`."""

    url: str
    size: int
    md5: str
    folder: str
    members: Mapping[str, Member]

    @property
    def name(self) -> str:
        """`stl10_binary.tar.gz`."""
        return posixpath.basename(self.url)

    @property
    def unpacked_size(self) -> int:
        return sum(member.size for member in self.members.values())

    def missing(self, root: Path) -> list[str]:
        """The members that are not in their folder under `root`. UserError where one is there and is no file."""
        return [name for name in self.members if not is_regular(root / self.folder / name)]


def unpack(archive: Archive, path: Path, root: Path) -> None:
    """The members of the archive at `path`, and nothing else of it, into their folder under `root`.

    A new folder appears when all of its files are whole; into one that is there what it lacks is moved, file by file.

    Raises:
        UserError: a member is missing, no plain file, or not as described, or the folder has another file of its name;
            nothing is left.
        OSError: from the file system, for example a full disk; nothing is left.
    """
    folder, temporary = root / archive.folder, root / f".{archive.folder}.unpacking"
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        _write_members(archive, path, temporary)
        lacking = [name for name in archive.members if not (temporary / name).exists()]
        if lacking:
            raise UserError(f"{path}: {', '.join(lacking)} expected in it and not found")
        for name in archive.members:
            flush(temporary / name)
        if folder.exists():
            missing = archive.missing(root)
            _refuse_others(archive, path, temporary, folder, missing)
            for name in missing:
                (temporary / name).replace(folder / name)
        else:
            temporary.rename(folder)
        flush(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_others(archive: Archive, path: Path, unpacked: Path, folder: Path, missing: list[str]) -> None:
    """A file of the right name and size may still be the user's own, and is not to be mixed with the archive's."""
    for name in archive.members:
        if name not in missing and not filecmp.cmp(unpacked / name, folder / name, shallow=False):
            raise UserError(
                f"{folder}: {missing[0]} is missing, and {name} is another file than in {path}; add what is missing, "
                "or remove the folder to have it unpacked"
            )


def _write_members(archive: Archive, path: Path, folder: Path) -> None:
    done = 0
    try:
        with tarfile.open(path, "r:gz") as tar, ProgressBar(f"unpacking {path.name}", archive.unpacked_size) as bar:
            for info in tar:
                # A path is never made from a name in the archive: only the names that are expected are looked for.
                above, name = posixpath.split(posixpath.normpath(info.name))
                member = archive.members.get(name)
                if member is None or above != archive.folder:
                    continue
                source = tar.extractfile(info) if info.isreg() and info.size == member.size else None
                if source is None:
                    raise UserError(f"{path}: {info.name} is not a plain file of {member.size} bytes")
                found = _write(source, folder / name, bar, done)
                if member.md5 not in {None, found}:
                    raise UserError(f"{path}: {info.name} has md5 {found}, {member.md5} expected")
                done += member.size
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: not a whole tar.gz ({error})") from error


def _write(source: IO[bytes], path: Path, bar: ProgressBar, before: int) -> str:
    """Copies `source` to `path`; its md5."""
    digest = md5_hash(usedforsecurity=False)
    with path.open("wb") as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            bar.update(before + file.tell())
    return digest.hexdigest()
