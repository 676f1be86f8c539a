"""The raw images: a handle that opens a source."""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset

from byol_kedro.errors import UserError
from byol_kedro.files.fetch import fetch_and_unpack
from byol_kedro.files.masking import masked
from byol_kedro.parameters import Ingest
from byol_kedro.sources import SOURCES
from byol_kedro.sources.outputs import refuse_outputs
from byol_kedro.sources.source import Fetched, Source


@dataclass(frozen=True)
class RawImages:
    """A source by its name, the folder that its files lie in, and where they are fetched from when missing.

    `url` as in `fetch_and_unpack`: none is the source's own address.
    """

    source: str
    root: Path
    url: str | None = field(default=None, repr=False)

    def open(self, parameters: Ingest, seed: int) -> Source:
        """Raises UserError when the files of the source are not as they should be, or cannot be fetched."""
        refuse_outputs(self.root, "raw_root")
        module, _, name = SOURCES[self.source].partition(":")
        kind: type[Source] = getattr(import_module(module), name)
        if issubclass(kind, Fetched) and (archive := kind.archive(self.root)):
            fetch_and_unpack(archive, self.root, self.url)
        return kind(self.root, parameters, seed)


class RawImagesDataset(AbstractDataset[Any, RawImages]):
    """Loads `RawImages`; `filepath` is the folder of the source's files. Read only, not versioned."""

    def __init__(
        self, *, source: str, filepath: str, url: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._source = source
        self._filepath = Path(filepath)
        self._url = url
        self.metadata = metadata

    def load(self) -> RawImages:
        return RawImages(self._source, self._filepath, self._url)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        raise UserError(f"the raw images under {self._filepath} are only read")

    def _exists(self) -> bool:
        return True  # whether its files are there is the source's to say, with a better message

    def _describe(self) -> dict[str, Any]:
        return {"source": self._source, "filepath": self._filepath, "url": self._url and masked(self._url)}
