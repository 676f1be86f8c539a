"""Named arrays with a text header in one safetensors file: weights, features, predictors."""

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
FEATURES = "features"  # name, or last part of the name, of arrays of features


@dataclass(frozen=True, eq=False, repr=False)
class Tensors(Brief):
    """Arrays by name, and a header of strings.

    Indexing and `mapped` check that features are finite, and raise NotFiniteError if they are not. Loaded arrays are
    read from the disk on each access; their header contains `version` and `fingerprint`.
    """

    arrays: Mapping[str, Array]
    header: dict[str, str]

    def __getitem__(self, name: str) -> Array:
        """Return the array `name`, checked to be finite if it contains features."""
        return self.checked(name, self.arrays[name])

    def keys(self) -> KeysView[str]:
        """Return the names of the arrays."""
        return self.arrays.keys()

    def checked(self, name: str, array: Array) -> Array:
        """Return `array`, the one of that name, unchanged.

        Raises:
            NotFiniteError: It contains features that are not finite.
        """
        if name.rpartition(".")[2] == FEATURES:
            place = f"{self.arrays.path}, " if isinstance(self.arrays, StoredArrays) else ""
            encoder = f" of encoder {self.header['encoder_version']}" if "encoder_version" in self.header else ""
            check_features(array, f"{place}{name}{encoder}", "run the pipeline extract again")
        return array


class StoredArrays(Mapping[str, Array]):
    """The arrays of a safetensors file, read on access.

    Before the first access, and whenever the file has changed, all arrays are verified against the fingerprint.
    DamagedError is raised if they differ from what was written.
    """

    def __init__(self, path: Path, names: list[str], fingerprint: str) -> None:
        """Take the file, the names of its arrays and their expected fingerprint."""
        self.path = path
        self._names = names
        self._fingerprint = fingerprint

    def __getitem__(self, name: str) -> Array:
        """Read an array."""
        if name not in self._names:
            raise KeyError(name)
        check_arrays(self.path, self._fingerprint)
        with open_tensors(self.path) as file:
            array: Array = file.get_tensor(name)
        return array

    def mapped(self, name: str) -> Array:
        """Return an array as a read-only memory map, which need not fit into memory."""
        check_arrays(self.path, self._fingerprint)
        start, dtype, shape = array_location(name, self.path)
        if 0 in shape:
            return np.empty(shape, dtype)  # an empty array cannot be mapped
        return np.memmap(self.path, dtype, "r", start, shape)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return the number of arrays."""
        return len(self._names)


class TensorsDataset(VersionedMixin, AbstractVersionedDataset[Tensors, Tensors]):
    """Saves and loads `Tensors`; `version` and `fingerprint` are added to the header."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Take the arguments of the catalog entry."""
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def save(self, data: Tensors) -> None:
        """Save the arrays. If that fails, nothing is left.

        Raises:
            UserError: The disk is full.
        """
        # safetensors ignores strides, so a transposed view would be saved wrong.
        arrays = {name: np.asarray(array, order="C") for name, array in data.arrays.items()}
        path = self.new_file()
        header = sealed({**data.header, "version": self.resolve_save_version() or ""}, arrays, versioned_name(path))
        needed = sum(array.nbytes for array in arrays.values())
        with replacing(path, needed) as temporary:
            save_file(arrays, temporary, metadata=header)
        mark_verified(path, header[FINGERPRINT])

    def load(self) -> Tensors:
        """Load the header; arrays are read on access.

        Raises:
            UserError: The file is truncated, or its header is not the one that was written for this version.
        """
        path = Path(self._get_load_path())
        with open_tensors(path) as file:
            stored = dict(sorted((file.metadata() or {}).items()))  # safetensors does not preserve the order
            header, names = unsealed(path, stored, versioned_name(path)), list(file.keys())
        return Tensors(StoredArrays(path, names, header[FINGERPRINT]), header)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self) -> TablePreview:
        """Return name, dtype and shape of each array, then the header."""
        path = Path(self._get_load_path())
        with open_tensors(path) as file:
            header = unsealed(path, file.metadata() or {}, versioned_name(path))
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # safe_open is not a mapping
            rows = [[name, s.get_dtype(), str(tuple(s.get_shape()))] for name, s in slices.items()]
            rows += [[key, "header", value] for key, value in sorted(header.items())]
        return TablePreview({"index": list(range(len(rows))), "columns": ["name", "dtype", "shape"], "data": rows})


def mapped(tensors: Tensors, name: str) -> Array:
    """Return an array; as a read-only memory map if it is in a file."""
    arrays = tensors.arrays
    return tensors.checked(name, arrays.mapped(name) if isinstance(arrays, StoredArrays) else arrays[name])
