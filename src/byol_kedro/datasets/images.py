"""Images as one memory-mapped uint8 array, with labels, names and provenance in a JSON sidecar."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import TablePreview

from byol_kedro.datasets.pixels import LastImages, WrittenImages, write_pixels
from byol_kedro.datasets.stored_pixels import stored_pixels
from byol_kedro.errors import StoppedError
from byol_kedro.files.atomic import replacing_all
from byol_kedro.files.checked import mark_verified
from byol_kedro.files.integrity import DamagedError, checksum, checksum_file, verify_checksum
from byol_kedro.files.versioned import VersionedMixin
from byol_kedro.log import Brief, get_logger
from byol_kedro.sources.source import UNKNOWN_LABEL, ImageStream, Pixels

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Images(Brief):
    """One split, as loaded.

    Attributes:
        pixels: (N, 3, H, W) uint8, RGB, row by row, a read-only memory map.
        labels: (N,) int64, -1 where unknown.
        names: N names, unique over all splits, e.g. `train/astronaut/0003`.
        class_names: Names of the classes by label; empty without classes.
        folds: Arrays of positions in this split, int64; may be empty.
        fingerprint: SHA-256 (hex) of the bytes of the pixels, then of the labels as int64.
        source: Name of the source, e.g. `stl10`.
        narrow: Positions, int64, of images that use a small part of their range of values.
        broken: Images that could not be read and are missing here: the reason by name.
        ignored: How many files were ignored, by reason.
        held_out: Whether the images were held out of train because the source has no test images.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: list[str]
    class_names: list[str]
    folds: list[npt.NDArray[np.int64]]
    fingerprint: str
    source: str
    narrow: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    broken: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    held_out: bool = False

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)


class ImagesDataset(VersionedMixin, AbstractVersionedDataset[ImageStream, Images]):
    """Saves an `ImageStream`, loads `Images`.

    `filepath` ends in .npy; the sidecar has the same name with .json. A version with the origin of the last one is a
    hard link to it, or a copy if the file system has no links.
    """

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Take the arguments of the catalog entry."""
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def save(self, data: ImageStream) -> None:
        """Save a split. If that fails, nothing is left.

        Raises:
            UserError: Images are missing, the disk is full, or Ctrl-C was pressed.
        """
        try:
            self._write(data)
        except KeyboardInterrupt as error:
            raise StoppedError from error

    def _write(self, data: ImageStream) -> None:
        path = self.new_file()
        last = self._last(data)
        is_linked = last is not None and last.unchanged
        # Kedro checks for the .npy, so it is moved last.
        files = [checksum_file(sidecar(path)), sidecar(path), path]
        with replacing_all(files, None if is_linked else data.nbytes) as (sums, new_sidecar, new_pixels):
            if last and is_linked:
                fingerprint = str(last.info["fingerprint"])
                _link(sidecar(last.path), new_sidecar)
                _link(last.path, new_pixels)
            else:
                with new_pixels.open("wb") as file:
                    pixels = write_pixels(file, data, _last_images(last) if last else None)
                if pixels.reused:
                    decoded = len(pixels.kept) - pixels.reused
                    logger.info("%s: %s decoded, %s unchanged", path.stem, f"{decoded:,}", f"{pixels.reused:,}")
                fingerprint = pixels.fingerprint
                new_sidecar.write_text(json.dumps(_describe(data, pixels)), encoding="utf-8")
            sums.write_text(checksum(new_sidecar, sidecar(path)), "utf-8")
        # A copy of the last version has not been verified.
        if not (last and is_linked) or last.path.samefile(path):
            mark_verified(path, fingerprint)

    def load(self) -> Images:
        """Load a split and verify it.

        Raises:
            UserError: The pixels or the sidecar differ from what was saved.
        """
        path = Path(self._get_load_path())
        info = _read_sidecar(path)
        return Images(
            pixels=_pixels(path, info),
            labels=_labels(info),
            names=info["names"],
            class_names=info["class_names"],
            folds=[np.array(fold, dtype=np.int64) for fold in info["folds"]],
            fingerprint=info["fingerprint"],
            source=info["source"],
            narrow=np.array(info["narrow"], dtype=np.int64),
            broken=info["broken"],
            ignored=info["ignored"],
            held_out=info["held_out"],
        )

    def _last(self, data: ImageStream) -> "_Last | None":
        """The last version, if it is intact and images can be reused from it."""
        # Not _get_load_path(): Kedro would remember the old version, and warn after the save.
        newest = next(iter(self._get_versions()), None) if self._version else None
        if newest is None:
            return None
        path = Path(newest)
        try:
            info = _read_sidecar(path)
            unchanged = _unchanged(info, data)
            return _Last(path, info, _pixels(path, info), unchanged) if unchanged or info["keys"] else None
        except DamagedError as error:
            fault = f"{error.path} {error.fault}"
            logger.warning("%s: all images are read again, because the last version is damaged: %s", path.stem, fault)
            return None

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return name, label and class of `nrows` evenly spaced images."""
        images = ImagesDataset.load.__wrapped__(self)  # type: ignore[attr-defined]  # added by Kedro
        rows = np.unique(np.linspace(0, len(images) - 1, nrows).astype(int))[: len(images)]
        data = [[images.names[i], int(images.labels[i]), _class_of(images, i)] for i in rows]
        return TablePreview({"index": [int(i) for i in rows], "columns": ["name", "label", "class"], "data": data})


def _unchanged(info: dict[str, Any], data: ImageStream) -> bool:
    """Whether the version with the sidecar `info` has the images of the stream."""
    same_origin = info["origin"] == json.loads(json.dumps(data.origin))
    return same_origin and data.source.is_unchanged(data.split, info["broken"], info["undecided"])


def sidecar(path: Path) -> Path:
    """Return the path of the JSON file with labels and names."""
    return path.with_suffix(".json")


def _class_of(images: Images, i: int) -> str:
    return "" if images.labels[i] == UNKNOWN_LABEL else images.class_names[images.labels[i]]


@dataclass(frozen=True, eq=False)
class _Last:
    """An intact version; `unchanged` if the new one has the same images."""

    path: Path
    info: dict[str, Any]
    pixels: Pixels
    unchanged: bool


def _last_images(last: _Last) -> LastImages:
    """The images of a version whose source gives keys."""
    keys = np.frombuffer(bytes.fromhex(last.info["keys"]), dtype=np.uint8).reshape(len(last.pixels), -1)
    return LastImages(last.pixels, keys, np.isin(np.arange(len(keys)), last.info["narrow"]))


def _describe(data: ImageStream, written: WrittenImages) -> dict[str, Any]:
    """The content of the sidecar."""
    source, split, index = data.source, data.split, data.index
    folds = source.folds(split)
    assert len(index.labels) == len(index.names)
    assert not (written.broken and folds), "folds refer to images that are missing"
    return {
        "fingerprint": written.fingerprint,
        "source": source.name,
        "origin": data.origin,
        "shape": (len(written.kept), *data.shape[1:]),
        "class_names": source.class_names,
        "folds": [fold.tolist() for fold in folds],
        "labels": index.labels[written.kept].tolist(),
        "names": [index.names[position] for position in written.kept],
        "narrow": np.flatnonzero(written.narrow).tolist(),
        "broken": written.broken,
        "undecided": index.undecided,
        "ignored": source.ignored(split),
        "held_out": source.is_held_out(split),
        "keys": "" if index.keys is None else index.keys[written.kept].tobytes().hex(),
    }


def _read_sidecar(path: Path) -> dict[str, Any]:
    """Read the sidecar. Raises DamagedError if it differs from what was written."""
    verify_checksum(sidecar(path))
    info: dict[str, Any] = json.loads(sidecar(path).read_text(encoding="utf-8"))
    return info


def _labels(info: dict[str, Any]) -> npt.NDArray[np.int64]:
    return np.array(info["labels"], dtype=np.int64)


def _pixels(path: Path, info: dict[str, Any]) -> Pixels:
    """Map the pixels. Raises DamagedError if they do not match the sidecar."""
    return stored_pixels(path, tuple(info["shape"]), _labels(info), info["fingerprint"])


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)
