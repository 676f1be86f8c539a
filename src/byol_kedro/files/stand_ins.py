"""Reads checkpoints that contain settings besides tensors, without creating objects of the classes they name."""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

# Packages whose objects trainers save with the weights: arguments, configurations, paths, numbers.
PACKAGES = {
    "addict", "argparse", "collections", "easydict", "lightning", "lightning_fabric", "ml_collections", "mmcv",
    "mmengine", "numpy", "omegaconf", "pathlib", "pytorch_lightning", "typing", "yacs",
}  # fmt: skip
TYPES = {f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "set", "str", "tuple")}


class _Mapping:
    """Replaces classes of mappings: torch's unpickler sets items of plain dicts only."""

    def __new__(cls, *_: Any) -> Any:
        return OrderedDict()


class _Value:
    """Replaces any other class; ignores its arguments and its state."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def foreign_classes(path: Path) -> list[str]:
    """Return the non-tensor classes in a torch.save file as `module.Name`; empty if they cannot be determined."""
    try:
        return sorted(get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001  # a damaged file raises many types of exceptions
        return []


def load_without_settings(path: Path, classes: list[str]) -> Any:
    """Load a torch.save file with an empty object in place of every object of `classes`.

    These classes are neither imported nor called: torch's unpickler, which accepts only known classes, gets a
    replacement for each of them.

    Raises:
        Exception: As `torch.load(weights_only=True)`.
    """
    stand_ins: Any = [(_Mapping if re.search("dict", name, re.IGNORECASE) else _Value, name) for name in classes]
    with safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True)


def are_settings(classes: list[str]) -> bool:
    """Return whether there are classes and all of them are used for settings of trainers."""
    return bool(classes) and all(name in TYPES or name.partition(".")[0] in PACKAGES for name in classes)
