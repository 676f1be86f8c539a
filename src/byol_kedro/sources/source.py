"""What every source of images can do."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from byol_kedro.files.archives import Archive
from byol_kedro.parameters import Ingest
from byol_kedro.sources.stream import ImageStream

SPLITS = ("unlabeled", "train", "test")


class Source(Protocol):
    """Images in three splits. Opening it checks what can be checked without reading images.

    `name` is what the `data` column of the results says.
    """

    name: str

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Raises UserError when a file is missing or not as it should be."""

    def stream(self, split: str) -> ImageStream:
        """The images of one of `SPLITS`."""
        ...


@runtime_checkable
class Fetched(Protocol):
    """What a source has besides, when its files can be fetched."""

    @staticmethod
    def archive(root: Path) -> Archive | None:
        """What `root` has to hold before the source is opened; none where it holds the files in another form."""
        ...
