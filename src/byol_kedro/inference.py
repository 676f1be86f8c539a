"""Use a trained encoder in your own program: features of images, without Kedro."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
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
from byol_kedro.byol.features import ADVICE, BATCH, ENCODER_FEATURES, IMPORTED_ADVICE, encode
from byol_kedro.byol.finite import FLOAT32_MAX
from byol_kedro.byol.resize import resize_center
from byol_kedro.errors import UserError
from byol_kedro.files.decode import NarrowPixels, UnreadableImage, are_narrow, center_square, decode, narrow_text
from byol_kedro.files.paths import expanded
from byol_kedro.files.user_files import is_regular
from byol_kedro.files.versioned import log_ignored_versions, version_files
from byol_kedro.files.weights import read_safetensors
from byol_kedro.log import Brief, get_logger

logger = get_logger(__name__)

ENCODER_FILE = "encoder.safetensors"

ImageLike = str | PathLike[str] | Image.Image


@dataclass(frozen=True, eq=False, repr=False)
class FrozenEncoder(Brief):
    """A trained encoder; `encoder(images)` computes the same features as the pipelines.

    Attributes:
        header: architecture and training of the encoder.
        version: its version, empty for a file without one.
        fingerprint: fingerprint of its weights.
        model: the network on `device`.
        device: where features are computed.

    Example:
        >>> from byol_kedro import load_encoder
        >>> encoder = load_encoder("data/06_models")
        >>> features = encoder(["cat.jpg", "dog.png"])  # (2, D) float32
    """

    header: EncoderHeader
    version: str
    fingerprint: str
    model: nn.Module
    device: torch.device

    def __call__(self, images: Iterable[ImageLike] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features.

        Paths and PIL images are processed 256 at a time, so their number is not limited, and decoded in this process.
        Images that use a small part of the range of their values, and so appear black or flat, are counted in a
        warning. A PIL image is decoded at full size. A large JPEG given as a path is decoded at a reduced size; the
        difference is smaller than the compression error.

        Args:
            images: paths and PIL images of any size, which are cropped and resized as by the pipeline ingest or, for an
                imported encoder, as its header says (`image_size`, `crop`, `resample`); or an array (N, 3, S, S) uint8
                of RGB images, where S is `header.image_size`, which are only normalized.

        Returns:
            (N, D) float32, in the order of the images.

        Raises:
            TypeError: `images` is a single image, or an item is neither a path nor a PIL image.
            ValueError: an array has another shape or dtype.
            UnreadableImage: an image is broken; a subclass of ValueError.
            UserError: a feature is not finite, since the training of the encoder has diverged.
        """
        if isinstance(images, str | PathLike | Image.Image):
            raise TypeError(f"expected several images, found one, {images}; use encoder([…])[0] for a single image")
        narrow: list[bool] = []
        batches = self._from_array(images, narrow) if isinstance(images, np.ndarray) else self._decoded(images, narrow)
        name = f"{ENCODER_FEATURES} {self.version}".rstrip()
        advice = IMPORTED_ADVICE if self.header.imported_from else ADVICE
        parts = [
            encode(self.model, pixels, self.header, self.device, name=name, advice=advice, max_value=FLOAT32_MAX)
            for pixels in batches
        ]
        if any(narrow):
            logger.warning("%s", narrow_text(sum(narrow), len(narrow)))
        return np.concatenate(parts) if parts else np.empty((0, self.header.feature_dim), np.float32)

    def metadata(self) -> dict[str, str]:
        """The header, version and fingerprint as text, for the header of an exported file."""
        return self.header.to_dict() | {"version": self.version, "fingerprint": self.fingerprint}

    def _decoded(self, images: Iterable[ImageLike], narrow: list[bool]) -> Iterator[NDArray[np.uint8]]:
        remaining = enumerate(images)
        while batch := list(islice(remaining, BATCH)):
            squares = [self._square(image, f"images[{position}]") for position, image in batch]
            narrow.extend(isinstance(square, NarrowPixels) for square in squares)
            yield np.stack(squares)

    def _square(self, image: ImageLike, name: str) -> NDArray[np.uint8]:
        """The image as the input (3, S, S) uint8 of the network."""
        size, header = self.header.image_size, self.header
        if not isinstance(image, str | PathLike | Image.Image):
            raise TypeError(
                f"{name}: expected a path or a PIL image, found {type(image).__name__}; give arrays and tensors as one "
                f"array (N, 3, {size}, {size}) uint8"
            )
        try:
            resize = partial(resize_center, size=size, crop=header.crop, resample=header.resample)
            chosen = resize if header.imported_from else None
            if isinstance(image, Image.Image):
                return center_square(image, size, resize=chosen)
            return decode(Path(image), size, chosen)
        except Exception as reason:  # noqa: BLE001  # a PIL image is decoded only now, and decoders raise any error
            raise UnreadableImage(f"{name}, {image}: {reason}") from None

    def _from_array(self, pixels: NDArray[np.uint8], narrow: list[bool]) -> list[NDArray[np.uint8]]:
        size = self.header.image_size
        if pixels.shape[1:] != (3, size, size) or pixels.dtype != np.uint8:
            raise ValueError(
                f"expected an array (N, 3, {size}, {size}) uint8, found {pixels.shape} {pixels.dtype}; give images of "
                "other sizes as a list of paths or PIL images"
            )
        narrow.extend(are_narrow(pixels).tolist())
        return [pixels]


def open_encoder(path: Path, device: str) -> FrozenEncoder:
    """Load the encoder of a file, or the newest one in a folder.

    Args:
        path: an encoder file; the folder of one version or of all versions; 06_models; or a data_root.
        device: auto, cpu, mps, cuda or cuda:N.

    Raises:
        UserError: there is no encoder, the file is not an encoder of this project, or the device does not exist.
    """
    where, file = resolve_device(device), encoder_file(expanded(path, "load_encoder"), "load_encoder")
    content, metadata = read_safetensors(file, "load_encoder")
    try:
        header = EncoderHeader.from_dict(metadata)
        model = restore_encoder(header, {name: tensor.numpy() for name, tensor in content.items()}).to(where)
    except UserError as reason:
        raise UserError(f"load_encoder: {file}: {reason}") from None
    return FrozenEncoder(header, metadata.get("version", ""), metadata.get("fingerprint", ""), model, where)


def encoder_file(path: Path, name: str) -> Path:
    """The file `path`, or the newest encoder in a folder.

    Args:
        path: a file; or a folder as in `open_encoder`.
        name: the parameter or function that the path comes from, for messages.

    Raises:
        UserError: there is neither a file nor an encoder.
    """
    return path if _is_file(path, name) else _newest(path, name)


def _is_file(path: Path, name: str) -> bool:
    """Whether `path` is a regular file; raises UserError if it is neither a file nor a folder."""
    return not path.is_dir() and is_regular(path, name)


def _newest(folder: Path, name: str) -> Path:
    """The encoder in the folder of a version, or the newest one of all versions, of 06_models or of a data_root."""
    if _is_file(folder / ENCODER_FILE, name):
        return folder / ENCODER_FILE
    entries = [folder, folder / ENCODER_FILE, *folder.glob(f"*/{ENCODER_FILE}")]
    files = [file for entry in entries for file in version_files(entry, ENCODER_FILE) if _is_file(file, name)]
    log_ignored_versions(entries, ENCODER_FILE)
    if files:
        return max(files, key=lambda file: file.parent.name)
    missing = "encoder in" if folder.is_dir() else "file or folder"
    try:
        for place in (folder, folder / "06_models", folder / "06_models" / ENCODER_FILE):
            if place.is_dir():
                next(place.iterdir(), None)
    except PermissionError as error:  # which glob ignores
        raise UserError(f"{name}: {error.filename}: {error.strerror}") from None
    below = sorted({str(file.parents[2]) for file in folder.glob(f"*/*/{ENCODER_FILE}/*/")})
    expected = " or ".join(below) or f"the data_root of a training (kedro run), or the path of an {ENCODER_FILE}"
    raise UserError(f"{name}: there is no {missing} {folder.absolute()}; give {expected}")
