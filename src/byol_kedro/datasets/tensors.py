"""Named arrays and a text header in one safetensors file: weights, features, predictors."""

from collections.abc import Iterator, KeysView, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import TablePreview
from safetensors.numpy import save_file

from byol_kedro.byol.finite import check_features
from byol_kedro.files.atomic import replacing
from byol_kedro.files.checked import mark_verified
from byol_kedro.files.integrity import versioned_name
from byol_kedro.files.sealed import FINGERPRINT, array_location, check_arrays, open_tensors, sealed, unsealed
from byol_kedro.files.versioned import VersionedMixin
from byol_kedro.log import Brief

Array = npt.NDArray[Any]
FEATURES = "features"  # the name of an array of them, or its end


@dataclass(frozen=True, eq=False, repr=False)
class Tensors(Brief):
    """Arrays by name, and a header of strings. `t["features"]` is `t.arrays["features"]`, looked at.

    Features that are no numbers are refused there and in `mapped` (NotFiniteError), so that whoever computes with them
    may rely on it. What was loaded reads an array from the disk each time that it is asked for, and has `version` and
    `fingerprint` in its header.
    """

    arrays: Mapping[str, Array]
    header: dict[str, str]

    def __getitem__(self, name: str) -> Array:
        return self.numbers(name, self.arrays[name])

    def keys(self) -> KeysView[str]:
        return self.arrays.keys()

    def numbers(self, name: str, array: Array) -> Array:
        """`array` as it is, which is the one of that `name`. NotFiniteError where it is features and holds others."""
        if name.rpartition(".")[2] == FEATURES:
            place = f"{self.arrays.path}, " if isinstance(self.arrays, StoredArrays) else ""
            about = f" of encoder {self.header['encoder_version']}" if "encoder_version" in self.header else ""
            check_features(array, f"{place}{name}{about}", "run the pipeline extract again")
        return array


class StoredArrays(Mapping[str, Array]):
    """The arrays of a safetensors file, each read when it is asked for.

    Before the first, and whenever the file has changed since, all of them are read once and compared with
    `fingerprint`: UserError where they are not the ones that were written.
    """

    def __init__(self, path: Path, names: list[str], fingerprint: str) -> None:
        self.path = path
        self._names = names
        self._fingerprint = fingerprint

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        check_arrays(self.path, self._fingerprint)
        with open_tensors(self.path) as file:
            array: Array = file.get_tensor(name)
        return array

    def mapped(self, name: str) -> Array:
        """The array as a read-only memory map: what is not asked for is not kept, what was read can be dropped."""
        check_arrays(self.path, self._fingerprint)
        start, dtype, shape = array_location(name, self.path)
        if 0 in shape:
            return np.empty(shape, dtype)  # nothing can be mapped
        return np.memmap(self.path, dtype, "r", start, shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class TensorsDataset(VersionedMixin, AbstractVersionedDataset[Tensors, Tensors]):
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
        path = self.new_file()
        header = sealed({**data.header, "version": self.resolve_save_version() or ""}, arrays, versioned_name(path))
        needed = sum(array.nbytes for array in arrays.values())
        with replacing(path, needed) as temporary:
            save_file(arrays, temporary, metadata=header)
        mark_verified(path, header[FINGERPRINT])

    def load(self) -> Tensors:
        """Raises UserError when the file is cut, or its header is not what this dataset wrote for this version."""
        path = Path(self._get_load_path())
        with open_tensors(path) as file:
            stored = dict(sorted((file.metadata() or {}).items()))  # safetensors keeps no order
            header, names = unsealed(path, stored, versioned_name(path)), list(file.keys())
        return Tensors(StoredArrays(path, names, header[FINGERPRINT]), header)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self) -> TablePreview:
        """Name, dtype and shape of each array, then the header."""
        path = Path(self._get_load_path())
        with open_tensors(path) as file:
            header = unsealed(path, file.metadata() or {}, versioned_name(path))
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # safe_open is no mapping
            rows = [[name, s.get_dtype(), str(tuple(s.get_shape()))] for name, s in slices.items()]
            rows += [[key, "header", value] for key, value in sorted(header.items())]
        return TablePreview({"index": list(range(len(rows))), "columns": ["name", "dtype", "shape"], "data": rows})


def mapped(tensors: Tensors, name: str) -> Array:
    """An array that lies in a file as a read-only memory map, any other as it is."""
    arrays = tensors.arrays
    return tensors.numbers(name, arrays.mapped(name) if isinstance(arrays, StoredArrays) else arrays[name])
