"""Images as one uint8 array on the disk, memory-mapped, and the rest about them in a JSON sidecar."""

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

from byol_kedro.datasets.pixels import Before, Written, write_pixels
from byol_kedro.datasets.stored_pixels import stored_pixels
from byol_kedro.errors import StoppedError
from byol_kedro.files.atomic import replacing_all
from byol_kedro.files.checked import written
from byol_kedro.files.integrity import DamagedError, check_sum, checksum, checksum_file
from byol_kedro.files.versioned import Versions
from byol_kedro.log import Brief, get_logger
from byol_kedro.sources.stream import UNKNOWN_LABEL, ImageStream, Pixels

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Images(Brief):
    """One split, as loaded.

    pixels: (N, 3, H, W) uint8, RGB, row by row, a read-only memory map. labels: (N,) int64, -1 where unknown.
    names: N of them, unique over all splits, e.g. `train/astronaut/0003`. folds: arrays of positions in this
    split, int64; may be empty. fingerprint: sha256 (hex) of the pixels' bytes, then the labels' as int64.
    source: the name of the source, e.g. `stl10`. narrow: positions, int64, of images that use a small part of the
    range of their values. broken: images that could not be read and are not here, the reason by the name.
    ignored: how many files were passed over, by the reason. held_out: whether they were taken out of train, for
    want of test images.
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
        return len(self.pixels)


class ImagesDataset(Versions, AbstractVersionedDataset[ImageStream, Images]):
    """Saves an `ImageStream`, loads `Images`.

    `filepath` ends in .npy; the sidecar lies beside it and ends in .json. A version whose origin is that of
    the last one is a hard link to it (a copy where the file system has no links).
    """

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def save(self, data: ImageStream) -> None:
        """Raises UserError, and leaves nothing, when images are missing or the disk is full, or at Ctrl-C."""
        try:
            self._write(data)
        except KeyboardInterrupt as error:
            raise StoppedError from error

    def _write(self, data: ImageStream) -> None:
        path = self.new_file()
        last = self._last(data)
        linked = last is not None and last.unchanged
        # Kedro looks for the .npy, so it comes last.
        files = [checksum_file(sidecar(path)), sidecar(path), path]
        with replacing_all(files, None if linked else data.nbytes) as (sums, new_sidecar, new_pixels):
            if last and linked:
                fingerprint = str(last.about["fingerprint"])
                _link(sidecar(last.path), new_sidecar)
                _link(last.path, new_pixels)
            else:
                with new_pixels.open("wb") as file:
                    pixels = write_pixels(file, data, _before(last) if last else None)
                if pixels.taken_over:
                    fresh = len(pixels.kept) - pixels.taken_over
                    logger.info("%s: %s decoded, %s as before", path.stem, f"{fresh:,}", f"{pixels.taken_over:,}")
                fingerprint = pixels.fingerprint
                new_sidecar.write_text(json.dumps(_describe(data, pixels)), encoding="utf-8")
            sums.write_text(checksum(new_sidecar, sidecar(path)), "utf-8")
        # A copy of the last version has not been read, and may differ from it.
        if not (last and linked) or last.path.samefile(path):
            written(path, fingerprint)

    def load(self) -> Images:
        """Raises UserError when the pixels or the sidecar are not what was written."""
        path = Path(self._get_load_path())
        about = _read_sidecar(path)
        return Images(
            pixels=_pixels(path, about),
            labels=_labels(about),
            names=about["names"],
            class_names=about["class_names"],
            folds=[np.array(fold, dtype=np.int64) for fold in about["folds"]],
            fingerprint=about["fingerprint"],
            source=about["source"],
            narrow=np.array(about["narrow"], dtype=np.int64),
            broken=about["broken"],
            ignored=about["ignored"],
            held_out=about["held_out"],
        )

    def _last(self, data: ImageStream) -> "_Last | None":
        """The last version, where it is whole and images of `data` may be taken from it."""
        # Not _get_load_path(): Kedro would keep the old version, and the save would end in a warning.
        newest = next(iter(self._get_versions()), None) if self._version else None
        if newest is None:
            return None
        path = Path(newest)
        try:
            about = _read_sidecar(path)
            unchanged = _unchanged(about, data)
            return _Last(path, about, _pixels(path, about), unchanged) if unchanged or about["keys"] else None
        except DamagedError as error:
            what = f"{error.path} {error.fault}"
            logger.warning("%s: all images are read again, since the last version is damaged: %s", path.stem, what)
            return None

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self, nrows: int = 10) -> TablePreview:
        """Name, label and class of `nrows` images, spread over the split."""
        images = ImagesDataset.load.__wrapped__(self)  # type: ignore[attr-defined]  # added by Kedro's wrapper
        rows = np.unique(np.linspace(0, len(images) - 1, nrows).astype(int))[: len(images)]
        data = [[images.names[i], int(images.labels[i]), _class_of(images, i)] for i in rows]
        return TablePreview({"index": [int(i) for i in rows], "columns": ["name", "label", "class"], "data": data})


def _unchanged(about: dict[str, Any], data: ImageStream) -> bool:
    """Whether the version that `about` describes holds what the stream would give."""
    same_origin = about["origin"] == json.loads(json.dumps(data.origin))
    return same_origin and data.same_as(about["broken"], about["undecided"])


def sidecar(path: Path) -> Path:
    """Where the labels, names and the rest lie."""
    return path.with_suffix(".json")


def _class_of(images: Images, i: int) -> str:
    return "" if images.labels[i] == UNKNOWN_LABEL else images.class_names[images.labels[i]]


@dataclass(frozen=True, eq=False)
class _Last:
    """A whole version. `unchanged`: whether the new one has the same images."""

    path: Path
    about: dict[str, Any]
    pixels: Pixels
    unchanged: bool


def _before(last: _Last) -> Before:
    """The images of a version whose source can tell which of them have changed."""
    keys = np.frombuffer(bytes.fromhex(last.about["keys"]), dtype=np.uint8).reshape(len(last.pixels), -1)
    return Before(last.pixels, keys, np.isin(np.arange(len(keys)), last.about["narrow"]))


def _describe(data: ImageStream, written: Written) -> dict[str, Any]:
    assert len(data.labels) == len(data.names) == data.count
    assert not (written.broken and data.folds), "folds count images that are not there"
    return {
        "fingerprint": written.fingerprint,
        "source": data.source,
        "origin": data.origin,
        "shape": (len(written.kept), *data.shape[1:]),
        "class_names": data.class_names,
        "folds": [fold.tolist() for fold in data.folds],
        "labels": data.labels[written.kept].tolist(),
        "names": [data.names[position] for position in written.kept],
        "narrow": np.flatnonzero(written.narrow).tolist(),
        "broken": written.broken,
        "undecided": data.undecided,
        "ignored": data.ignored,
        "held_out": data.held_out,
        "keys": "" if data.keys is None else data.keys[written.kept].tobytes().hex(),
    }


def _read_sidecar(path: Path) -> dict[str, Any]:
    """DamagedError where it is not what was written."""
    check_sum(sidecar(path))
    about: dict[str, Any] = json.loads(sidecar(path).read_text(encoding="utf-8"))
    return about


def _labels(about: dict[str, Any]) -> npt.NDArray[np.int64]:
    return np.array(about["labels"], dtype=np.int64)


def _pixels(path: Path, about: dict[str, Any]) -> Pixels:
    """DamagedError where they are not those that the sidecar is about."""
    return stored_pixels(path, tuple(about["shape"]), _labels(about), about["fingerprint"])


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)
