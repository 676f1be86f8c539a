"""The raw images: a handle that opens a source."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, cast

from kedro.io import AbstractDataset

from byol_kedro.errors import UserError
from byol_kedro.files.fetch import fetch_and_unpack
from byol_kedro.files.masking import masked
from byol_kedro.files.paths import ADDRESS
from byol_kedro.files.remote import RemotePath
from byol_kedro.parameters import Ingest
from byol_kedro.sources import SOURCES
from byol_kedro.sources.outputs import refuse_outputs
from byol_kedro.sources.source import Source


@dataclass(frozen=True)
class RawImages:
    """A source that has not been opened.

    Attributes:
        source: Key in `SOURCES`.
        root: Folder of its files, or its address.
        credentials: Arguments of the file system if `root` is an address.
        url: Where missing files are downloaded from, as in `fetch_and_unpack`; None for the published address.
    """

    source: str
    root: Path | str
    url: str | None = field(default=None, repr=False)
    credentials: Mapping[str, Any] | None = field(default=None, repr=False)

    def open(self, parameters: Ingest, seed: int) -> Source:
        """Open the source, after downloading its files if they are missing.

        Raises:
            UserError: The files are invalid or cannot be downloaded.
        """
        module, _, name = SOURCES[self.source].partition(":")
        kind: type[Source] = getattr(import_module(module), name)
        if isinstance(self.root, str):
            if not kind.reads_addresses:
                raise UserError(
                    f"raw_root {self.root}: source {self.source} reads local files only; copy them to a disk"
                )
            return kind(cast("Path", RemotePath(self.root, self.credentials)), parameters, seed)
        refuse_outputs(self.root, "raw_root")
        if archive := kind.archive(self.root):
            fetch_and_unpack(archive, self.root, self.url)
        return kind(self.root, parameters, seed)


class RawImagesDataset(AbstractDataset[Any, RawImages]):
    """Loads `RawImages`; `filepath` is the folder of the source's files. Read only, not versioned."""

    def __init__(
        self,
        *,
        source: str,
        filepath: str,
        url: str | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take the arguments of the catalog entry."""
        self._source = source
        self._filepath = filepath if ADDRESS.match(filepath) else Path(filepath)
        self._url, self._credentials = url, credentials
        self.metadata = metadata

    def load(self) -> RawImages:
        """Return the handle; no file is read."""
        return RawImages(self._source, self._filepath, self._url, self._credentials)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: the images are read-only."""
        raise UserError(f"the raw images in {self._filepath} are read-only")

    def _exists(self) -> bool:
        return True  # the source reports missing files with a better message

    def _describe(self) -> dict[str, Any]:
        return {"source": self._source, "filepath": self._filepath, "url": self._url and masked(self._url)}
