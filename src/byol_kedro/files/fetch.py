"""Obtains the files of a published data set: from a local archive, or by downloading it."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from byol_kedro.errors import UserError
from byol_kedro.files.archives import Archive, unpack
from byol_kedro.files.atomic import DISK_FULL, free_space, size_text
from byol_kedro.files.download import check, download, part_of
from byol_kedro.files.locks import exclusive
from byol_kedro.files.masking import masked
from byol_kedro.files.user_files import is_regular
from byol_kedro.log import get_logger

logger = get_logger(__name__)

NEVER = "never"  # instead of an address: no download


def fetch_and_unpack(archive: Archive, root: Path, url: str | None) -> None:
    """Download and extract an archive, unless its members exist.

    An archive in `root` is used without a download. The archive is kept after it has been extracted.

    Args:
        archive: The archive.
        root: The folder of the archive and of the folder of its members.
        url: Address of the archive, http(s):// or file://; `NEVER`; or None for its published address.

    Raises:
        UserError: The archive is unavailable or not as expected, the disk is full or not writable, or the folder has
            members of other sizes: files of the user are never mixed with others.
    """
    missing = archive.missing(root)
    if not missing:
        return
    _check_sizes(archive, root / archive.folder, missing[0])
    if url == NEVER and not is_regular(root / archive.name):
        raise UserError(
            f"{root / archive.folder / missing[0]} is missing, and raw_url: {NEVER} forbids downloads; "
            f"copy {archive.name} to {root}, or choose another folder with --params raw_root=..."
        )
    try:
        root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / f".{archive.name}.lock", f"waiting for another process that is downloading to {root}"):
            if archive.missing(root):  # otherwise the other process has done it
                unpack(archive, _get_archive(archive, root, url), root)
    except OSError as error:
        raise UserError(_explain(error, root)) from error


def _check_sizes(archive: Archive, folder: Path, missing: str) -> None:
    for name, member in archive.members.items():
        path = folder / name
        if path.exists() and path.stat().st_size != member.size:
            raise UserError(
                f"{folder}: {missing} is missing, and {name} has {path.stat().st_size} bytes instead of the "
                f"{member.size} of {archive.name}; add the missing files, or remove the folder to download it"
            )


def _get_archive(archive: Archive, root: Path, url: str | None) -> Path:
    """Return the verified archive: from `root`, from a file:// address, or downloaded to `root`."""
    placed = root / archive.name
    address = archive.url if url is None else url
    local = placed if is_regular(placed) else _local_path(address)
    if local is None:
        _fetch(archive, placed, address)
        return placed
    if not is_regular(local, "raw_url"):
        raise UserError(f"raw_url: {local} does not exist")
    _check_space(root, archive.unpacked_size)
    logger.info("extracting %s (%s) to %s", local, _sizes(archive), root)
    try:
        check(local, archive.size, archive.md5)
    except UserError as error:
        raise UserError(f"{error}; this is not the archive of {archive.url}; remove it to download that one") from None
    return local


def _fetch(archive: Archive, path: Path, address: str) -> None:
    part = part_of(path)
    done = part.stat().st_size if part.exists() else 0
    _check_space(path.parent, archive.size - done + archive.unpacked_size)
    resumed = f", resuming at {size_text(done)}" if done else ""
    logger.info(
        "downloading %s (%s) from %s to %s%s", path.name, _sizes(archive), masked(address), path.parent, resumed
    )
    try:
        download(address, path, archive.size, archive.md5)
    except UserError as error:
        raise UserError(
            f"{error}; or copy {path.name} to {path.parent}, or choose a mirror with --params raw_url=..."
        ) from error


def _sizes(archive: Archive) -> str:
    return f"{size_text(archive.size)}, {size_text(archive.unpacked_size)} extracted"


def _local_path(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _check_space(root: Path, needed: int) -> None:
    free = shutil.disk_usage(root).free
    if free < needed:
        raise UserError(
            f"{root}: {size_text(needed)} needed to download and extract, {size_text(free)} free; "
            "free some space or choose another folder with --params raw_root=..."
        )


def _explain(error: OSError, root: Path) -> str:
    if error.errno in DISK_FULL:
        return (
            f"the disk or the quota is full: {free_space(root)} in {root}; "
            "free some space and run the command again to resume"
        )
    return f"{error.filename or root}: {error.strerror or error}; choose another folder with --params raw_root=..."
