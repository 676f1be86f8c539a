"""Weights from a file that another program may have written; nothing in it is ever run."""

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
from byol_kedro.files.stand_ins import are_settings, foreign_classes, load_beside_settings
from byol_kedro.files.user_files import is_regular, reason_of

WHOLE = "give the path of a whole one"
NAMED = 3  # classes that a line names
# With `weights_only=False` torch.load runs what is in the file: only where somebody trusts it.
RESAVE = (
    "where you trust it, save its weights alone with two lines of Python: "
    "model = torch.load({}, map_location='cpu', weights_only=False); "
    "torch.save(model['state_dict'], path), or of a whole module torch.save(model.state_dict(), path)"
)


def read_weights(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """What a `.safetensors` file or a file of torch.save holds, on the CPU, and the former's header.

    Tensors by name, or mappings of such. `name` is the parameter that gave the path.

    Settings that a trainer has saved beside them are left empty: no class that the file names is ever made.

    Raises:
        UserError: the file is missing, no regular file, is cut, or holds other Python objects, which could run code.
    """
    if not is_regular(path, name):
        raise UserError(f"{name}: there is no file {path}; give the path of one, from the folder of the project on")
    if path.suffix == ".safetensors":
        return read_safetensors(path, name)
    content = _load(path, name)
    if _is_zip(path) and (fault := _zip_fault(path)):
        raise UserError(f"{name}: {path} is damaged: {fault}; {WHOLE}")
    if not isinstance(content, Mapping):
        raise UserError(f"{name}: {path} holds a {type(content).__name__}; a state dict is expected")
    return content, {}


def _load(path: Path, name: str) -> Any:
    """What a file of torch.save holds; settings beside the tensors are left empty. UserError for other objects."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{name}: {path} cannot be read: {reason_of(error)}; {WHOLE}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises errors of many classes here, some of them undocumented.
        classes = foreign_classes(path)
        if are_settings(classes):
            with suppress(Exception):
                return load_beside_settings(path, classes)
        if _is_zip(path):
            named = f" ({', '.join(classes[:NAMED])}{' …' if len(classes) > NAMED else ''})" if classes else ""
            raise UserError(
                f"{name}: {path} holds more than tensors{named}, and loading Python objects runs whatever code is in "
                f"them; {RESAVE.format(repr(str(path)))}"
            ) from error
        raise UserError(
            f"{name}: {path} is cut, was not written by torch.save, or holds Python objects, which could run code; "
            f"{RESAVE.format(repr(str(path)))}"
        ) from error


def read_safetensors(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Tensors by name, on the CPU, and the header.

    A file of this project, or one that it has exported, is compared with what its header says of it. UserError when the
    file is damaged, or of another kind.
    """
    try:
        check_file(path)
        with safe_open(path, framework="pt") as file:
            content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # safe_open is no mapping
            header = dict(file.metadata() or {})
        if is_sealed(header):
            header = unsealed(path, header)
            check_arrays(path, header[FINGERPRINT])
    except DamagedError as error:
        raise UserError(f"{name}: {path} {error.fault}; {WHOLE}") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{name}: {path} is no safetensors file or is cut ({error}); {WHOLE}") from None
    return content, header


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _zip_fault(path: Path) -> str | None:
    """How a zip archive disagrees with the sums in it, if it does: torch writes them and does not look at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            # torch can be told to write none; then all of them are 0.
            record = archive.testzip() if any(record.CRC for record in archive.infolist()) else None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        return str(error)
    return record and f"its record {record} is not what was written"
