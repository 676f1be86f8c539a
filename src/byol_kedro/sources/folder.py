"""A folder of images of any size, resized to squares of `image_size` pixels.

It contains `unlabeled/`, `train/` and `test/`, or some of them; train and test have one folder per class. Without
`test/`, a part of train is held out. Without `train/`, or without any of the three folders, the images are unlabeled
and used as train, of which a part is held out.
"""

from pathlib import Path

from byol_kedro.log import get_logger
from byol_kedro.parameters import Ingest
from byol_kedro.sources.classes import labels_from_folders
from byol_kedro.sources.encoded import FilesSource
from byol_kedro.sources.layout import find_files
from byol_kedro.sources.walk import printable

logger = get_logger(__name__)


class FolderSource(FilesSource):
    """Reads a folder. The constructor lists the files; they are decoded when a stream is saved."""

    name = "folder"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """List the files."""
        super().__init__(root, parameters, seed)
        self.base = root
        found, ignored = find_files(root)
        self.class_names, (train, test) = labels_from_folders(root, found["train"], found["test"])
        if not self.class_names:
            logger.info("%s has no class folders: results that need labels are skipped", printable(str(root)))
        self._arrange(found, {"train": train, "test": test}, ignored)
