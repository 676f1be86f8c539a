"""Weights from a file that another program may have written; nothing in it is ever run."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from byol_kedro.datasets.user_files import is_regular
from byol_kedro.errors import UserError


def read_weights(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """What a `.safetensors` file or a file of torch.save holds, on the CPU, and the former's header.

    Tensors by name, or mappings of such. `name` is the parameter that gave the path.

    Raises:
        UserError: the file is missing, no regular file, is cut, or holds Python objects, which could run code.
    """
    if not is_regular(path, name):
        raise UserError(f"{name}: there is no file {path}; give the path of one, from the folder of the project on")
    if path.suffix == ".safetensors":
        return read_safetensors(path, name)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises errors of many classes here, some of them undocumented.
        if zipfile.is_zipfile(path):
            raise UserError(
                f"{name}: {path} holds more than tensors, and loading Python objects runs whatever code is in them; "
                "load it where you trust it and save its weights alone: torch.save(model.state_dict(), path)"
            ) from error
        raise UserError(
            f"{name}: {path} is cut, was not written by torch.save, or holds Python objects, which could run code; "
            "a state dict is expected: torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"{name}: {path} holds a {type(content).__name__}; a state dict is expected")
    return content, {}


def read_safetensors(path: Path, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Tensors by name, on the CPU, and the header. UserError when the file is cut or of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118  # safe_open is no mapping
    except SafetensorError as error:
        raise UserError(
            f"{name}: {path} is no safetensors file or is cut ({error}); give the path of a whole one"
        ) from None
