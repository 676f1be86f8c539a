"""Pictures as one uint8 array on the disk, memory-mapped, and the rest about them in a JSON sidecar."""

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

from byol_kedro.datasets.files import replacing_all
from byol_kedro.datasets.pixels import Before, Written, write_pixels
from byol_kedro.datasets.streams import UNKNOWN_LABEL, ImageStream
from byol_kedro.datasets.versioned import Versions
from byol_kedro.errors import StoppedError, UserError
from byol_kedro.log import get_logger

logger = get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Images:
    """One split, as loaded.

    pixels: (N, 3, H, W) uint8, RGB, row by row, a read-only memory map. labels: (N,) int64, -1 where unknown.
    names: N of them, unique over all splits, e.g. `train/astronaut/0003`. folds: arrays of positions in this
    split, int64; may be empty. fingerprint: sha256 (hex) of the pixels' bytes, then the labels' as int64.
    source: the name of the source, e.g. `stl10`. broken: pictures that could not be read and are not here,
    the reason by the name. ignored: how many files were passed over, by the reason. held_out: whether they were
    taken out of train, for want of test pictures.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: list[str]
    class_names: list[str]
    folds: list[npt.NDArray[np.int64]]
    fingerprint: str
    source: str
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
        """Raises UserError, and leaves nothing, when pictures are missing or the disk is full, or at Ctrl-C."""
        try:
            self._write(data)
        except KeyboardInterrupt as error:
            raise StoppedError from error

    def _write(self, data: ImageStream) -> None:
        path = self.new_file()
        last = self._last()
        unchanged = last is not None and last[1]["origin"] == json.loads(json.dumps(data.origin))
        needed = None if unchanged else data.nbytes
        # Kedro looks for the .npy, so it comes last.
        with replacing_all([sidecar(path), path], needed) as (new_sidecar, new_pixels):
            if last and unchanged:
                _link(sidecar(last[0]), new_sidecar)
                _link(last[0], new_pixels)
            else:
                with new_pixels.open("wb") as file:
                    written = write_pixels(file, data, _before(*last) if last else None)
                if written.taken_over:
                    fresh = len(written.kept) - written.taken_over
                    logger.info("%s: %s decoded, %s as before", path.stem, f"{fresh:,}", f"{written.taken_over:,}")
                new_sidecar.write_text(json.dumps(_describe(data, written)), encoding="utf-8")

    def load(self) -> Images:
        """Raises UserError when a file is cut or the sidecar is missing."""
        path = Path(self._get_load_path())
        about = _read_sidecar(path)
        return Images(
            pixels=_map_pixels(path, tuple(about["shape"])),
            labels=np.array(about["labels"], dtype=np.int64),
            names=about["names"],
            class_names=about["class_names"],
            folds=[np.array(fold, dtype=np.int64) for fold in about["folds"]],
            fingerprint=about["fingerprint"],
            source=about["source"],
            broken=about.get("broken", {}),
            ignored=about.get("ignored", {}),
            held_out=about.get("held_out", False),
        )

    def _last(self) -> tuple[Path, dict[str, Any]] | None:
        """The last version and its sidecar, when it is whole."""
        # Not _get_load_path(): Kedro would keep the old version, and the save would end in a warning.
        newest = next(iter(self._get_versions()), None) if self._version else None
        if newest is None:
            return None
        try:
            about = _read_sidecar(Path(newest))
            _map_pixels(Path(newest), tuple(about["shape"]))
        except UserError:
            return None
        return Path(newest), about

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self, nrows: int = 10) -> TablePreview:
        """Name, label and class of `nrows` pictures, spread over the split."""
        images = ImagesDataset.load.__wrapped__(self)  # type: ignore[attr-defined]  # added by Kedro's wrapper
        rows = np.unique(np.linspace(0, len(images) - 1, nrows).astype(int))[: len(images)]
        data = [[images.names[i], int(images.labels[i]), _class_of(images, i)] for i in rows]
        return TablePreview({"index": [int(i) for i in rows], "columns": ["name", "label", "class"], "data": data})


def sidecar(path: Path) -> Path:
    """Where the labels, names and the rest lie."""
    return path.with_suffix(".json")


def _class_of(images: Images, i: int) -> str:
    return "" if images.labels[i] == UNKNOWN_LABEL else images.class_names[images.labels[i]]


def _before(path: Path, about: dict[str, Any]) -> Before | None:
    """The last version's pictures, where its source could tell which of them have changed."""
    if not about.get("keys"):
        return None
    keys = np.frombuffer(bytes.fromhex(about["keys"]), dtype=np.uint8).reshape(about["shape"][0], -1)
    return Before(_map_pixels(path, tuple(about["shape"])), keys)


def _describe(data: ImageStream, written: Written) -> dict[str, Any]:
    assert len(data.labels) == len(data.names) == data.count
    assert not (written.broken and data.folds), "folds count pictures that are not there"
    return {
        "fingerprint": written.fingerprint,
        "source": data.source,
        "origin": data.origin,
        "shape": (len(written.kept), *data.shape[1:]),
        "class_names": data.class_names,
        "folds": [fold.tolist() for fold in data.folds],
        "labels": data.labels[written.kept].tolist(),
        "names": [data.names[position] for position in written.kept],
        "broken": written.broken,
        "ignored": data.ignored,
        "held_out": data.held_out,
        "keys": "" if data.keys is None else data.keys[written.kept].tobytes().hex(),
    }


def _read_sidecar(path: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads(sidecar(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        state = "is missing" if isinstance(error, FileNotFoundError) else "is not JSON or is cut"
        raise UserError(f"{sidecar(path)} {state}; delete the folder {path.parent} and run ingest again") from error
    return about


def _map_pixels(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The pixels of a whole file, (N, 3, H, W) uint8; UserError when it is cut or of another shape."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            assert version == (1, 0)
            found, _, _ = np.lib.format.read_array_header_1_0(file)
        except (ValueError, AssertionError) as error:
            raise UserError(f"{path} is no .npy file; delete its folder and run ingest again") from error
        offset = file.tell()
    size, expected = path.stat().st_size, offset + int(np.prod(found))
    if tuple(found) != shape or size != expected:
        raise UserError(
            f"{path} is cut or not the sidecar's: {size} bytes and shape {tuple(found)} found, "
            f"{offset + int(np.prod(shape))} bytes and shape {shape} expected; "
            "delete its folder and run ingest again"
        )
    if size == offset:
        return np.zeros(shape, dtype=np.uint8)  # an empty file cannot be mapped
    return np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=shape)


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        shutil.copyfile(old, new)
