"""Checkpoints that hold settings beside their tensors, read without making a single object of the classes they name."""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

# Packages whose objects trainers save beside the weights: arguments, configurations, paths, numbers.
PACKAGES = {
    "addict", "argparse", "collections", "easydict", "lightning", "lightning_fabric", "ml_collections", "mmcv",
    "mmengine", "numpy", "omegaconf", "pathlib", "pytorch_lightning", "typing", "yacs",
}  # fmt: skip
TYPES = {f"builtins.{name}" for name in ("bool", "dict", "float", "int", "list", "set", "str", "tuple")}


class _Mapping:
    """In the place of a class of dicts: torch's reader puts entries into plain ones alone."""

    def __new__(cls, *_: Any) -> Any:
        return OrderedDict()


class _Value:
    """In the place of any other class: takes whatever it is given and does nothing with it."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


def foreign_classes(path: Path) -> list[str]:
    """The classes, as `module.Name`, that a file of torch.save names beside those of tensors; empty where unknown."""
    try:
        return sorted(get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001  # a damaged file: errors of many classes, some of them undocumented
        return []


def load_beside_settings(path: Path, classes: list[str]) -> Any:
    """What a file of torch.save holds, with an empty object wherever it names one of `classes`.

    Nothing of what the file names is imported, made or called: torch's reader, which only takes classes from a list,
    is given another one for each of these names. Raises whatever `torch.load(weights_only=True)` does.
    """
    stand_ins: Any = [(_Mapping if re.search("dict", name, re.IGNORECASE) else _Value, name) for name in classes]
    with safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True)


def are_settings(classes: list[str]) -> bool:
    """Whether these are classes that trainers keep their settings in, and there is at least one."""
    return bool(classes) and all(name in TYPES or name.partition(".")[0] in PACKAGES for name in classes)
