"""Reads weights from files of other programs without running code from them."""

import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from byol_kedro.errors import UserError
from byol_kedro.files.integrity import DamagedError, check_file
from byol_kedro.files.sealed import FINGERPRINT, check_arrays, is_sealed, unsealed
from byol_kedro.files.stand_ins import are_settings, foreign_classes, load_without_settings
from byol_kedro.files.user_files import is_regular, reason_of

CHOOSE = "choose an intact file"
SHOWN = 3  # classes in a message
# torch.load with `weights_only=False` can run code from the file.
RESAVE = (
    "if you trust it, save only its weights with two lines of Python: "
    "model = torch.load({}, map_location='cpu', weights_only=False); "
    "torch.save(model['state_dict'], path), or for a module torch.save(model.state_dict(), path)"
)


def read_weights(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Read a safetensors file or a torch.save file to the CPU.

    Settings that a trainer has saved with the weights are replaced by empty objects.

    Args:
        path: The file.
        name: The parameter that the path comes from, for messages.

    Returns:
        The content, tensors by name or nested mappings of them, and the header of a safetensors file.

    Raises:
        UserError: The file is missing, not a regular file, truncated, or contains Python objects that could run code.
    """
    if not is_regular(path, name):
        raise UserError(f"{name}: {path} does not exist; relative paths start at the project folder")
    if path.suffix == ".safetensors":
        return read_safetensors(path, name)
    content = _load(path, name)
    if _is_zip(path) and (fault := _zip_fault(path)):
        raise UserError(f"{name}: {path} is damaged: {fault}; {CHOOSE}")
    if not isinstance(content, Mapping):
        raise UserError(f"{name}: {path} contains a {type(content).__name__}, a state dict is expected")
    return content, {}


def _load(path: Path, name: str) -> Any:
    """Load a torch.save file with empty settings. Raises UserError if it contains other objects."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{name}: {path} cannot be read: {reason_of(error)}; {CHOOSE}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises many types of exceptions here, some of them undocumented.
        classes = foreign_classes(path)
        if are_settings(classes):
            with suppress(Exception):
                return load_without_settings(path, classes)
        if _is_zip(path):
            names = f" ({', '.join(classes[:SHOWN])}{' …' if len(classes) > SHOWN else ''})" if classes else ""
            raise UserError(
                f"{name}: {path} contains Python objects{names}, and loading them could run code; "
                f"{RESAVE.format(repr(str(path)))}"
            ) from error
        raise UserError(
            f"{name}: {path} is truncated, not a torch.save file, or contains Python objects that could run code; "
            f"{RESAVE.format(repr(str(path)))}"
        ) from error


def read_safetensors(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Read a safetensors file to the CPU. Files written by this project are verified against their header.

    Args:
        path: The file.
        name: The parameter that the path comes from, for messages.

    Returns:
        Tensors by name, and the header.

    Raises:
        UserError: The file is damaged or not a safetensors file.
    """
    try:
        check_file(path)
        with safe_open(path, framework="pt") as file:
            content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # safe_open is not a mapping
            header = dict(file.metadata() or {})
        if is_sealed(header):
            header = unsealed(path, header)
            check_arrays(path, header[FINGERPRINT])
    except DamagedError as error:
        raise UserError(f"{name}: {path} {error.fault}; {CHOOSE}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{name}: {path} is truncated or not a safetensors file ({error}); {CHOOSE}") from None
    return content, header


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _zip_fault(path: Path) -> str | None:
    """Describe a checksum error in a zip archive, if there is one: torch writes checksums but does not check them."""
    try:
        with zipfile.ZipFile(path) as archive:
            # If torch was set to write no checksums, all of them are 0.
            record = archive.testzip() if any(record.CRC for record in archive.infolist()) else None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        return str(error)
    return record and f"the checksum of its record {record} does not match"
