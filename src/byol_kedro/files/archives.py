"""The archives of published data sets: their members, and atomic extraction."""

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
from byol_kedro.files.atomic import fsync
from byol_kedro.files.progress_bar import ProgressBar
from byol_kedro.files.user_files import is_regular

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Member:
    """A file in an archive: its size in bytes, and its MD5 sum if it is known."""

    size: int
    md5: str | None = None


@dataclass(frozen=True)
class Archive:
    """A tar.gz with one folder.

    Attributes:
        url: Where it is downloaded from.
        size: Bytes.
        md5: MD5 sum, hex.
        folder: Name of the folder.
        members: Files in the folder by name.
    """

    url: str
    size: int
    md5: str
    folder: str
    members: Mapping[str, Member]

    @property
    def name(self) -> str:
        """File name, for example `stl10_binary.tar.gz`."""
        return posixpath.basename(self.url)

    @property
    def unpacked_size(self) -> int:
        """Bytes of all members."""
        return sum(member.size for member in self.members.values())

    def missing(self, root: Path) -> list[str]:
        """Return the members that are missing from their folder in `root`.

        Raises:
            UserError: One of them exists but is not a regular file.
        """
        return [name for name in self.members if not is_regular(root / self.folder / name)]


def unpack(archive: Archive, path: Path, root: Path) -> None:
    """Extract the members of an archive, and nothing else, into their folder in `root`.

    A new folder appears when all of its files are complete. If the folder exists, only missing files are added.

    Args:
        archive: The expected content.
        path: The archive file.
        root: Folder that contains, or will contain, the folder of the members.

    Raises:
        UserError: A member is missing or not as expected, or the folder has a different file of the same name.
        OSError: The file system fails, for example because the disk is full.

    In both cases nothing is left.
    """
    folder, temporary = root / archive.folder, root / f".{archive.folder}.unpacking"
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed process
    temporary.mkdir()
    try:
        _write_members(archive, path, temporary)
        absent = [name for name in archive.members if not (temporary / name).exists()]
        if absent:
            raise UserError(f"{path}: {', '.join(absent)} not found in the archive")
        for name in archive.members:
            fsync(temporary / name)
        if folder.exists():
            missing = archive.missing(root)
            _check_existing_files(archive, path, temporary, folder, missing)
            for name in missing:
                (temporary / name).replace(folder / name)
        else:
            temporary.rename(folder)
        fsync(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_existing_files(archive: Archive, path: Path, unpacked: Path, folder: Path, missing: list[str]) -> None:
    """Raise UserError if the folder has a different file of the same name: files of the user are never mixed in."""
    for name in archive.members:
        if name not in missing and not filecmp.cmp(unpacked / name, folder / name, shallow=False):
            raise UserError(
                f"{folder}: {missing[0]} is missing, and {name} differs from that in {path}; add the missing files, or "
                "remove the folder to extract it anew"
            )


def _write_members(archive: Archive, path: Path, folder: Path) -> None:
    done = 0
    try:
        with tarfile.open(path, "r:gz") as tar, ProgressBar(f"extracting {path.name}", archive.unpacked_size) as bar:
            for info in tar:
                # Paths are never built from names in the archive: only expected names are extracted.
                above, name = posixpath.split(posixpath.normpath(info.name))
                member = archive.members.get(name)
                if member is None or above != archive.folder:
                    continue
                source = tar.extractfile(info) if info.isreg() and info.size == member.size else None
                if source is None:
                    raise UserError(f"{path}: {info.name} is not a regular file of {member.size} bytes")
                found = _write(source, folder / name, bar, done)
                if member.md5 not in {None, found}:
                    raise UserError(f"{path}: {info.name} has MD5 {found}, {member.md5} expected")
                done += member.size
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: truncated or not a tar.gz ({error})") from error


def _write(source: IO[bytes], path: Path, bar: ProgressBar, before: int) -> str:
    """Copy `source` to `path` and return its MD5 sum."""
    digest = md5_hash(usedforsecurity=False)
    with path.open("wb") as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            bar.update(before + file.tell())
    return digest.hexdigest()
