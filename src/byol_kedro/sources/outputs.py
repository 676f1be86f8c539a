"""What runs have written, which is never an image to learn from or to ask about.

A folder is somebody's `data_root`, of this environment or of another, when a run has written its manifest there; runs
write nothing but its folders 02_… to 08_…, and images among other things. Images that were copied out of it still lie
in the folders that Kedro makes of a version. Where a folder lies does not matter, so no spelling of a path does.
"""

import os
import re
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.decode import ENDINGS

MANIFEST = "08_reporting/run_manifest.json"  # every run writes it before its first node
_LAYER = re.compile(r"0[2-8]_[a-z_]+")
_VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")  # Kedro's; what comes after it was typed


def is_data_root(folder: str) -> bool:
    """Whether runs write into the folder."""
    return os.path.isdir(os.path.join(folder, MANIFEST))  # noqa: PTH112, PTH118  # asked of every folder


def is_layer(folder: str) -> bool:
    """Whether the folder is one that runs make in their data_root."""
    above, name = os.path.split(folder)
    return bool(_LAYER.fullmatch(name)) and is_data_root(above)


def is_image_entry(folder: str) -> bool:
    """Whether the folder holds the versions of an image that runs have written: `grid.png/<version>/grid.png`."""
    name = os.path.basename(folder)  # noqa: PTH119
    if os.path.splitext(name)[1].lower() not in ENDINGS or not Path(folder).is_dir():  # noqa: PTH122
        return False
    return any(_VERSION.match(version.name) and (version / name).exists() for version in Path(folder).iterdir())


def refuse_outputs(root: Path, name: str = "") -> None:
    """Raises UserError where `root`, which the parameter `name` gave, is among what runs have written."""
    if is_among_outputs(os.path.realpath(root)):
        where = f"{name}: {root}" if name else str(root)
        raise UserError(f"{where} lies where runs write, and no image is read from there; name another folder")


def is_among_outputs(real: str) -> bool:
    """Whether a path without links is a folder that runs make in their data_root, or lies in one."""
    return any(is_layer(folder) or is_image_entry(folder) for folder in (real, *map(str, Path(real).parents)))
