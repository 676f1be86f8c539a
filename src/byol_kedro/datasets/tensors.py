"""Named arrays and a text header in one safetensors file: weights, features, predictors."""

import json
from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import TablePreview
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from byol_kedro.datasets.files import replacing
from byol_kedro.errors import UserError

Array = npt.NDArray[Any]
STORED_AS = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


@dataclass(frozen=True, eq=False)
class Tensors:
    """Arrays by name, and a header of strings. `t["features"]` is `t.arrays["features"]`.

    What was loaded reads an array from the disk each time that it is asked for, and has `version` and
    `fingerprint` in its header.
    """

    arrays: Mapping[str, Array]
    header: dict[str, str]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def keys(self) -> KeysView[str]:
        return self.arrays.keys()


class StoredArrays(Mapping[str, Array]):
    """The arrays of a safetensors file, each read when it is asked for."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self._path = path
        self._names = names

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        with open_tensors(self._path) as file:
            array: Array = file.get_tensor(name)
        return array

    def mapped(self, name: str) -> Array:
        """The array as a read-only memory map: what is not asked for is not read, what was read can be dropped."""
        with self._path.open("rb") as file:
            # https://huggingface.co/docs/safetensors: the length of a JSON header, the header, then the arrays.
            length = int.from_bytes(file.read(8), "little")
            about = json.loads(file.read(length))[name]
        shape, dtype = tuple(about["shape"]), np.dtype(STORED_AS[about["dtype"]])
        if 0 in shape:
            return np.empty(shape, dtype)  # nothing can be mapped
        return np.memmap(self._path, dtype, "r", 8 + length + about["data_offsets"][0], shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class TensorsDataset(AbstractVersionedDataset[Tensors, Tensors]):
    """Saves and loads `Tensors`; the header gains `version` (the save's) and `fingerprint`."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def save(self, data: Tensors) -> None:
        """Raises UserError when the disk is full; then nothing is left."""
        # safetensors writes the memory as it lies, so a transposed view would be saved wrong.
        arrays = {name: np.asarray(array, order="C") for name, array in data.arrays.items()}
        version = self.resolve_save_version() or ""
        header = {**data.header, "version": version, "fingerprint": fingerprint(arrays)}
        needed = sum(array.nbytes for array in arrays.values())
        with replacing(Path(self._get_save_path()), needed) as temporary:
            save_file(arrays, temporary, metadata=header)

    def load(self) -> Tensors:
        """Raises UserError when the file is cut, no safetensors file, or was not written by this dataset."""
        path = Path(self._get_load_path())
        with open_tensors(path) as file:
            header, names = dict(sorted((file.metadata() or {}).items())), list(file.keys())  # it has no order
        if "fingerprint" not in header or "version" not in header:
            raise UserError(f"{path} has no version and fingerprint in its header: it was not written by this project")
        return Tensors(StoredArrays(path, names), header)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self) -> TablePreview:
        """Name, dtype and shape of each array, then the header."""
        with open_tensors(Path(self._get_load_path())) as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping
            rows = [[name, s.get_dtype(), str(tuple(s.get_shape()))] for name, s in slices.items()]
            rows += [[key, "header", value] for key, value in sorted((file.metadata() or {}).items())]
        return TablePreview({"index": list(range(len(rows))), "columns": ["name", "dtype", "shape"], "data": rows})


def mapped(tensors: Tensors, name: str) -> Array:
    """An array that lies in a file as a read-only memory map, any other as it is."""
    arrays = tensors.arrays
    return arrays.mapped(name) if isinstance(arrays, StoredArrays) else arrays[name]


def fingerprint(arrays: Mapping[str, Array]) -> str:
    """sha256 (hex) over name, dtype, shape and bytes of each array, in the order of the names."""
    digest = sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}\0{little.dtype.str}\0{little.shape}\0".encode())
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def open_tensors(path: Path) -> Any:
    """A safetensors file whose arrays are read when asked for; UserError where it is missing or cut."""
    try:
        return safe_open(path, framework="numpy")
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except SafetensorError as error:
        raise UserError(
            f"{path} is no safetensors file or is cut ({path.stat().st_size} bytes found): {error}; "
            "delete its folder and run again what writes it"
        ) from error
