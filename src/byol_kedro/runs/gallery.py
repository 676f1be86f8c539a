"""Search the images of a data_root for those that are similar to given ones."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractVersionedDataset, Version
from numpy.typing import NDArray

from byol_kedro.byol.features import BATCH, encode
from byol_kedro.datasets.images import Images, ImagesDataset, sidecar
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.inference import FrozenEncoder, open_encoder
from byol_kedro.log import Brief
from byol_kedro.pipelines.predict.neighbors import Split, known_split, nearest_known
from byol_kedro.runs.versions import display_folder, path_of_version, pin
from byol_kedro.sources.source import SPLITS

COUNT = 24
Versioned = AbstractVersionedDataset[Any, Any]
Entries = Mapping[str, Versioned]
LATENTS = {split: f"latents_{split}" for split in SPLITS}
IMAGES = {split: f"images_{split}" for split in SPLITS}
# Folder and kind of each entry below a data_root, as in conf/base/catalog.yml.
PLACES: dict[str, tuple[str, Callable[..., Versioned]]] = {
    "encoder": ("06_models/encoder.safetensors", TensorsDataset),
    **{name: (f"04_feature/{name}.safetensors", TensorsDataset) for name in LATENTS.values()},
    **{name: (f"02_intermediate/{name}.npy", ImagesDataset) for name in IMAGES.values()},
}


@dataclass(frozen=True)
class Match:
    """A similar image: its `name`, its `split`, and the cosine `similarity` of the features.

    `pixels` are (3, S, S) uint8, as the encoder sees the image.
    """

    name: str
    split: str
    similarity: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False, repr=False)
class Gallery(Brief):
    """Images with saved features that can be searched.

    Attributes:
        encoder: The encoder that computed the features.
        splits: The splits with saved features.
        size: Height and width of the images.
        left_out: The number of images without saved features, by split.
    """

    encoder: FrozenEncoder
    splits: tuple[Split, ...]
    size: int
    left_out: Mapping[str, int]

    def similar(self, images: Iterable[str | Path], count: int = COUNT) -> list[list[Match]]:
        """Find the most similar images of all splits.

        Images with exactly the same pixels as the given one, which are the image itself or copies of it, are left out.

        Args:
            images: Paths of image files.
            count: Number of similar images to find for each; fewer if there are fewer.

        Returns:
            For each image its matches, the most similar first.

        Raises:
            UnreadableImage: An image is missing or broken; a subclass of ValueError.
        """
        remaining, found = iter(images), []
        while paths := list(islice(remaining, BATCH)):
            found.extend(self.similar_pixels(np.stack([_decoded(path, self.size) for path in paths]), count))
        return found

    def similar_pixels(self, pixels: NDArray[np.uint8], count: int = COUNT) -> list[list[Match]]:
        """As `similar`, of decoded images (N, 3, size, size) uint8."""
        encoder = self.encoder
        features = encode(encoder.model, pixels, encoder.header, encoder.device)
        nearest = nearest_known(self.splits, features, pixels, count)
        triples = (
            zip(*line, strict=True) for line in zip(nearest.names, nearest.splits, nearest.similarities, strict=True)
        )
        return [[Match(*triple, self._pixels(triple[0])) for triple in line] for line in triples]

    def __len__(self) -> int:
        """The number of images that are searched."""
        return sum(len(split.names) for split in self.splits)

    @cached_property
    def _rows(self) -> dict[str, tuple[Split, int]]:
        return {name: (split, row) for split in self.splits for name, row in zip(split.names, split.index, strict=True)}

    def _pixels(self, name: str) -> NDArray[np.uint8]:
        split, row = self._rows[name]
        return np.array(split.pixels[row])


def open_gallery(data_root: str | Path, device: str = "auto", encoder: str | None = None) -> Gallery:
    """Open the images below a data_root for a search.

    Args:
        data_root: The folder of the artifacts of an environment, such as `data/folder`.
        device: Where features of new images are computed, as for `load_encoder`.
        encoder: Version of the encoder; by default that of the newest features.

    Raises:
        UserError: There are no features, or no features of this encoder.
    """
    root = Path(data_root).expanduser().absolute()
    entries = {
        name: kind(filepath=f"{root}/{path}", version=Version(None, None)) for name, (path, kind) in PLACES.items()
    }
    return gallery_of(entries, device, encoder)


def gallery_of(entries: Entries, device: str, encoder: str | None = None, make: str = "") -> Gallery:
    """Open the images of catalog entries; see `open_gallery`.

    Args:
        entries: The entries named in `PLACES`.
        device: As for `load_encoder`.
        encoder: Version of the encoder; by default that of the newest features.
        make: The command that makes the features, for the message of an error.

    Raises:
        UserError: There are no features, or no features of this encoder.
    """
    advice = f"make them with: {make or 'kedro run --pipelines=extract'}"
    first = _newest_latents(entries[LATENTS["train"]], encoder)
    if first is None:
        of = f" of encoder {encoder}" if encoder else ""
        raise UserError(f"there are no features{of} in {display_folder(entries[LATENTS['train']])}; {advice}")
    version = first.header["encoder_version"]
    splits, left_out, size = [], {}, 0
    for split in ("train", "test", "unlabeled"):
        latents = _newest_latents(entries[LATENTS[split]], version, first.header["encoder_fingerprint"])
        if latents is None:
            raise UserError(f"{LATENTS[split]} of encoder {version} is missing; {advice}")
        images = _images_of(latents, entries[IMAGES[split]])
        splits.append(known_split(split, latents, images))
        size = images.pixels.shape[-1]
        if len(images) > len(splits[-1].names):
            left_out[split] = len(images) - len(splits[-1].names)
    file = path_of_version(entries["encoder"], version)
    if not file.exists():
        raise UserError(
            f"encoder {version}, which computed the features, is not in {display_folder(entries['encoder'])}; {advice}"
        )
    return Gallery(open_encoder(file, device), tuple(splits), size, left_out)


def _newest_latents(dataset: Versioned, encoder: str | None, fingerprint: str = "") -> Tensors | None:
    """The newest features, if given of the encoder with this version and fingerprint."""
    for version in dataset.list_versions(full_path=False):
        pin(dataset, version)
        latents: Tensors = dataset.load()
        header = latents.header
        if encoder in (None, header["encoder_version"]) and fingerprint in ("", header["encoder_fingerprint"]):
            return latents
    return None


def _images_of(latents: Tensors, dataset: Versioned) -> Images:
    """The newest version with the images that the features were computed from.

    Raises:
        UserError: There is none.
    """
    wanted = latents.header["data_fingerprint"]
    for version in dataset.list_versions(full_path=False):
        info = json.loads(sidecar(path_of_version(dataset, version)).read_text(encoding="utf-8"))
        if info["fingerprint"] == wanted:
            pin(dataset, version)
            images: Images = dataset.load()
            return images
    raise UserError(
        f"the images of the features of {latents.header.get('version', 'this encoder')} are no longer in "
        f"{display_folder(dataset)}; run the pipelines ingest,extract again"
    )


def _decoded(path: str | Path, size: int) -> NDArray[np.uint8]:
    try:
        return decode(Path(path), size)
    except UnreadableImage as reason:
        raise UnreadableImage(f"{path}: {reason}") from None


def paths_of(matches: Sequence[Match], root: Path | None) -> list[str]:
    """The path of each match below `root`, or its name if there is no such file."""
    files = [root / match.name if root else None for match in matches]
    return [str(file) if file and file.is_file() else match.name for file, match in zip(files, matches, strict=True)]
