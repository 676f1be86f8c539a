"""Recognizes the outputs of runs, which are never used as input images.

A folder is the `data_root` of some environment if a run has written its manifest there. Runs write only to its folders
02_… to 08_…, including some images. Images that were copied elsewhere are recognized by the version folders that Kedro
creates. The location of a folder and the spelling of its path do not matter.
"""

import os
import re
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.decode import SUFFIXES

MANIFEST = "08_reporting/run_manifest.json"  # every run writes it before its first node
_LAYER = re.compile(r"0[2-8]_[a-z_]+")
_VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")  # Kedro's format; a user may have added a suffix


def is_data_root(folder: str) -> bool:
    """Return whether runs write to the folder."""
    return os.path.isdir(os.path.join(folder, MANIFEST))  # noqa: PTH112, PTH118  # called for every folder


def is_layer(folder: str) -> bool:
    """Return whether the folder is one that runs create in their data_root."""
    above, name = os.path.split(folder)
    return bool(_LAYER.fullmatch(name)) and is_data_root(above)


def is_image_entry(folder: str) -> bool:
    """Return whether the folder contains the versions of an image artifact: `grid.png/<version>/grid.png`."""
    name = os.path.basename(folder)  # noqa: PTH119
    if os.path.splitext(name)[1].lower() not in SUFFIXES or not Path(folder).is_dir():  # noqa: PTH122
        return False
    return any(_VERSION.match(version.name) and (version / name).exists() for version in Path(folder).iterdir())


def refuse_outputs(root: Path, name: str = "") -> None:
    """Check that a folder of input images is not among the outputs of runs.

    Args:
        root: The folder.
        name: The parameter that it comes from, for the message.

    Raises:
        UserError: It is.
    """
    if is_among_outputs(os.path.realpath(root)):
        where = f"{name}: {root}" if name else str(root)
        raise UserError(f"{where} is a folder of run outputs, which are not used as images; choose another folder")


def is_among_outputs(real: str) -> bool:
    """Return whether a path without links is an output folder of runs or lies in one."""
    return any(is_layer(folder) or is_image_entry(folder) for folder in (real, *map(str, Path(real).parents)))
