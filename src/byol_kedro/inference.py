"""A trained encoder in a program of one's own: images in, features out, nothing of Kedro."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.features import BATCH, ENCODER_FEATURES, encode
from byol_kedro.byol.finite import FLOAT32_MAX
from byol_kedro.errors import UserError
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, are_narrow, decode, narrow_words, square
from byol_kedro.files.paths import expanded
from byol_kedro.files.user_files import is_regular
from byol_kedro.files.versioned import tell_passed_over, version_files
from byol_kedro.files.weights import read_safetensors
from byol_kedro.log import Brief, get_logger

logger = get_logger(__name__)

FILE = "encoder.safetensors"

ImageLike = str | PathLike[str] | Image.Image


@dataclass(frozen=True, eq=False, repr=False)
class FrozenEncoder(Brief):
    """`encoder(images)` gives features, as the pipelines compute them.

    header: what it is and how it was trained; version, fingerprint: which one; model: the network on `device`.
    """

    header: EncoderHeader
    version: str
    fingerprint: str
    model: nn.Module
    device: torch.device

    def __call__(self, images: Iterable[ImageLike] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (N, D) float32 of `images`, row for row.

        images: paths and PIL images in any order, of any size, which are treated as ingest treats files; or an
        array (N, 3, S, S) uint8 of RGB images, where S is `header.image_size`. Paths and PIL images are held
        256 at a time, so that any number may come, and are decoded in this process. A line of the log counts those that
        use a small part of the range of their values, and come out black or flat. A PIL image is decoded whole; of a
        path of a large JPEG only as much as is needed, so that the two differ by less than what the JPEG has lost.

        Raises:
            TypeError: a single image instead of several, or something in them that is neither path nor PIL image.
            ValueError: an array of another shape or type; UnreadableImage, one of its kind, for a broken image.
            UserError: a feature is NaN or infinite: the training of the encoder has diverged.
        """
        if isinstance(images, str | PathLike | Image.Image):
            raise TypeError(f"several images are expected, found one, {images}; for its features: encoder([…])[0]")
        narrow: list[bool] = []
        batches = self._checked(images, narrow) if isinstance(images, np.ndarray) else self._squares(images, narrow)
        name = f"{ENCODER_FEATURES} {self.version}".rstrip()
        parts = [
            encode(self.model, pixels, self.header, self.device, name=name, max_value=FLOAT32_MAX) for pixels in batches
        ]
        if any(narrow):
            logger.warning("%s", narrow_words(sum(narrow), len(narrow)))
        return np.concatenate(parts) if parts else np.empty((0, self.header.feature_dim), np.float32)

    def about(self) -> dict[str, str]:
        """All of the header as text, with version and fingerprint: what goes into a file beside the weights."""
        return self.header.to_dict() | {"version": self.version, "fingerprint": self.fingerprint}

    def _squares(self, images: Iterable[ImageLike], narrow: list[bool]) -> Iterator[NDArray[np.uint8]]:
        size, left = self.header.image_size, enumerate(images)
        while some := list(islice(left, BATCH)):
            squares = [_square(image, size, f"images[{position}]") for position, image in some]
            narrow.extend(isinstance(square, NarrowPixels) for square in squares)
            yield np.stack(squares)

    def _checked(self, pixels: NDArray[np.uint8], narrow: list[bool]) -> list[NDArray[np.uint8]]:
        size = self.header.image_size
        if pixels.shape[1:] != (3, size, size) or pixels.dtype != np.uint8:
            raise ValueError(
                f"an array (N, 3, {size}, {size}) uint8 is expected, found {pixels.shape} {pixels.dtype}; other "
                "images are given as a list of paths or PIL images"
            )
        narrow.extend(are_narrow(pixels).tolist())
        return [pixels]


def _square(image: ImageLike, size: int, name: str) -> NDArray[np.uint8]:
    if not isinstance(image, str | PathLike | Image.Image):
        raise TypeError(
            f"{name}: a path or a PIL image is expected, found {type(image).__name__}; arrays and tensors are "
            f"given as one array (N, 3, {size}, {size}) uint8"
        )
    try:
        return square(image, size) if isinstance(image, Image.Image) else decode(Path(image), size)
    except Exception as reason:  # noqa: BLE001  # of a PIL image only now read: whatever its decoder stumbles over
        raise UnreadableImage(f"{name}, {image}: {reason}") from None


def open_encoder(path: Path, device: str) -> FrozenEncoder:
    """The encoder of a file, or the newest one in a folder.

    Raises:
        UserError: there is none, it is no regular file or none of this project, or there is no such device.
    """
    where, path = resolve_device(device), expanded(path, "load_encoder")
    file = path if _is_file(path) else _newest(path)
    content, about = read_safetensors(file, "load_encoder")
    try:
        header = EncoderHeader.from_dict(about)
        model = restore_encoder(header, {name: tensor.numpy() for name, tensor in content.items()}).to(where)
    except UserError as reason:
        raise UserError(f"load_encoder: {file}: {reason}") from None
    return FrozenEncoder(header, about.get("version", ""), about.get("fingerprint", ""), model, where)


def _is_file(path: Path) -> bool:
    """UserError for what is neither a file nor a folder, as of entries."""
    return not path.is_dir() and is_regular(path, "load_encoder")


def _newest(folder: Path) -> Path:
    """Of the folder of a version its encoder; of the folder of all versions, 06_models or a data_root the newest."""
    if _is_file(folder / FILE):
        return folder / FILE
    entries = [folder, folder / FILE, *folder.glob(f"*/{FILE}")]
    files = [file for entry in entries for file in version_files(entry, FILE) if _is_file(file)]
    tell_passed_over(entries, FILE)
    if files:
        return max(files, key=lambda file: file.parent.name)
    lacking = "encoder in" if folder.is_dir() else "file or folder"
    try:
        for place in (folder, folder / "06_models", folder / "06_models" / FILE):
            if place.is_dir():
                next(place.iterdir(), None)
    except PermissionError as error:  # of which glob says nothing
        raise UserError(f"load_encoder: {error.filename}: {error.strerror}") from None
    below = sorted({str(file.parents[2]) for file in folder.glob(f"*/*/{FILE}/*/")})
    wanted = " or ".join(below) or f"the data_root of a training (kedro run), or the path of an {FILE}"
    raise UserError(f"load_encoder: there is no {lacking} {folder.absolute()}; give {wanted}")
