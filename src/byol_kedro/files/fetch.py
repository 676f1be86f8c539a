"""Where the files of a source come from when they are not there: an archive at hand, or one from the net."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from byol_kedro.errors import UserError
from byol_kedro.files.archives import Archive, unpack
from byol_kedro.files.atomic import FULL, room, size_text
from byol_kedro.files.download import check, download, part_of
from byol_kedro.files.locks import alone
from byol_kedro.files.masking import masked
from byol_kedro.files.user_files import is_regular
from byol_kedro.log import get_logger

logger = get_logger(__name__)

NEVER = "never"  # in place of an address: nothing is fetched


def fetch_and_unpack(archive: Archive, root: Path, url: str | None) -> None:
    """The members of `archive` are in their folder under `root` afterwards; nothing is done where they are already.

    The archive is looked for in `root` first, so that it may be put there by hand. It is kept after unpacking.

    Args:
        archive: what is expected.
        root: the folder that holds the archive and its folder.
        url: http(s):// or file:// address of the archive, `NEVER`, or none for the archive's own.

    Raises:
        UserError: the archive cannot be had or is not the one described, the disk is full or cannot be written, or
            the folder holds some of the members but with other sizes: a user's own files are never mixed with others.
    """
    missing = archive.missing(root)
    if not missing:
        return
    _refuse_own_files(archive, root / archive.folder, missing[0])
    if url == NEVER and not is_regular(root / archive.name):
        raise UserError(
            f"{root / archive.folder / missing[0]} is missing, and raw_url: {NEVER} forbids to fetch it; "
            f"put {archive.name} into {root}, or name another folder with --params raw_root=..."
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        with alone(root / f".{archive.name}.lock", f"another process is fetching into {root}; waiting for it"):
            if archive.missing(root):  # else another process has been faster
                unpack(archive, _at_hand(archive, root, url), root)
    except OSError as error:
        raise UserError(_explain(error, root)) from error


def _refuse_own_files(archive: Archive, folder: Path, missing: str) -> None:
    for name, member in archive.members.items():
        path = folder / name
        if path.exists() and path.stat().st_size != member.size:
            raise UserError(
                f"{folder}: {missing} is missing, and {name} has {path.stat().st_size} bytes where that of "
                f"{archive.name} has {member.size}; add what is missing, or remove the folder to have it fetched"
            )


def _at_hand(archive: Archive, root: Path, url: str | None) -> Path:
    """The archive, checked: as it lies in `root` or at a file:// address, else fetched into `root`."""
    placed = root / archive.name
    address = archive.url if url is None else url
    local = placed if is_regular(placed) else _local_path(address)
    if local is None:
        _fetch(archive, placed, address)
        return placed
    if not is_regular(local, "raw_url"):
        raise UserError(f"raw_url: there is no file {local}")
    _check_space(root, archive.unpacked_size)
    logger.info("unpacking %s (%s) into %s", local, _sizes(archive), root)
    try:
        check(local, archive.size, archive.md5)
    except UserError as error:
        raise UserError(f"{error}; this is not the archive of {archive.url}: remove it to have that fetched") from None
    return local


def _fetch(archive: Archive, path: Path, address: str) -> None:
    part = part_of(path)
    here = part.stat().st_size if part.exists() else 0
    _check_space(path.parent, archive.size - here + archive.unpacked_size)
    going_on = f", going on after {size_text(here)}" if here else ""
    logger.info("fetching %s (%s) from %s to %s%s", path.name, _sizes(archive), masked(address), path.parent, going_on)
    try:
        download(address, path, archive.size, archive.md5)
    except UserError as error:
        raise UserError(
            f"{error}; or put {path.name} into {path.parent} yourself, or name a mirror with --params raw_url=..."
        ) from error


def _sizes(archive: Archive) -> str:
    return f"{size_text(archive.size)}, unpacked {size_text(archive.unpacked_size)}"


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _check_space(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if free < needed:
        raise UserError(
            f"{root}: {size_text(needed)} needed to fetch and unpack, {size_text(free)} free; "
            "make room or choose another place with --params raw_root=..."
        )


def _explain(error: OSError, root: Path) -> str:
    if error.errno in FULL:
        return (
            f"the disk or the quota is full: {room(root)} under {root}; "
            "make room and run the command again, it goes on with what has been fetched"
        )
    return f"{error.filename or root}: {error.strerror or error}; choose another place with --params raw_root=..."
