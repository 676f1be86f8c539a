"""Image features learned without labels, and an honest account of how good they are."""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byol_kedro.inference import FrozenEncoder

__version__ = "0.1.0"
__all__ = ["load_encoder"]


def load_encoder(path: str | PathLike[str], device: str = "auto") -> "FrozenEncoder":
    """A trained encoder: `load_encoder("data/sample")(["cat.jpg", "dog.png"])` gives features (2, D) float32.

    path: an encoder.safetensors, or a folder of them, as a data_root is; its newest one is taken. device: `auto` (the
    GPU where there is one), `cpu`, `mps`, `cuda` or `cuda:N`. See `FrozenEncoder` for what it can be called on.

    Raises:
        UserError: there is none, the file is none of this project, or there is no such device.
    """
    # Imported here: torch takes seconds, and much of this package needs none of it.
    from pathlib import Path  # noqa: PLC0415

    from byol_kedro.inference import open_encoder  # noqa: PLC0415

    return open_encoder(Path(path), device)
