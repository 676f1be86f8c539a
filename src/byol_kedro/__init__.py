"""Learn image features without labels (BYOL) and measure how good they are."""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from byol_kedro.inference import FrozenEncoder
    from byol_kedro.runs.gallery import Gallery

__version__ = "0.1.0"
__all__ = ["load_encoder", "open_gallery"]


def load_encoder(path: str | PathLike[str], device: str = "auto") -> "FrozenEncoder":
    """Load a trained encoder.

    Args:
        path: an `encoder.safetensors`, or a folder that contains encoders, such as a data_root; the newest is loaded.
        device: `auto` (a GPU if there is one), `cpu`, `mps`, `cuda` or `cuda:N`.

    Returns:
        A callable that maps images to features (N, D) float32; see `FrozenEncoder`.

    Raises:
        UserError: there is no encoder, the file is not an encoder of this project, or the device does not exist.

    Example:
        >>> encoder = load_encoder("data/sample")  # doctest: +SKIP
        >>> features = encoder(["cat.jpg", "dog.png"])  # doctest: +SKIP
    """
    # Imported here: torch takes seconds, and much of this package does not need it.
    from pathlib import Path  # noqa: PLC0415

    from byol_kedro.inference import open_encoder  # noqa: PLC0415

    return open_encoder(Path(path), device)


def open_gallery(data_root: str | PathLike[str], device: str = "auto", encoder: str | None = None) -> "Gallery":
    """Open the images below a data_root, to find those that are similar to new ones.

    Args:
        data_root: the folder of the artifacts of an environment, with features of the pipeline extract.
        device: where features of new images are computed, as for `load_encoder`.
        encoder: version of the encoder; by default that of the newest features.

    Returns:
        A `Gallery`; its method `similar` finds images.

    Raises:
        UserError: there are no features, or no features of this encoder.

    Example:
        >>> gallery = open_gallery("data/sample")  # doctest: +SKIP
        >>> [(match.similarity, match.name) for match in gallery.similar(["cat.jpg"])[0]]  # doctest: +SKIP
    """
    from pathlib import Path  # noqa: PLC0415  # see load_encoder

    from byol_kedro.runs.gallery import open_gallery as gallery_below  # noqa: PLC0415

    return gallery_below(Path(data_root), device, encoder)
