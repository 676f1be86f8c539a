"""Ways to make the files of a source invalid, and the error of ingest."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from byol_kedro.datasets.images import ImagesDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.files.fetch import NEVER
from byol_kedro.pipelines import ingest
from byol_kedro.runs.cleanup import clean_up
from byol_kedro.runs.user_errors import as_user_error
from tests.support.image_datasets import NEW, at, files_under, ingest_parameters
from tests.support.image_folders import SIDE, SPLITS, write_tree

Spoil = Callable[[Path], object]


def error_of(source: str, root: Path, out: Path, **changes: object) -> str:
    """Run the pipeline ingest and return its error as a run shows it."""
    entries = {f"images_{s}": ImagesDataset(filepath=str(out / f"{s}.npy"), version=at(NEW)) for s in SPLITS}
    changes = {"image_size": 32 if source == "cifar10" else SIDE} | changes
    parameters = {"params:ingest": MemoryDataset(ingest_parameters(**changes)), "params:seed": MemoryDataset(0)}
    catalog = DataCatalog({**entries, **parameters, "raw_images": MemoryDataset(RawImages(source, root, NEVER))})
    pipeline = ingest.create_pipeline().only_nodes("ingest.read_images")
    with pytest.raises(Exception) as caught:
        SequentialRunner().run(pipeline, catalog)
    clean_up(caught.value, pipeline, catalog)
    user_error = as_user_error(caught.value)
    assert user_error, repr(caught.value)
    assert len(str(user_error).splitlines()) == 1
    assert str(user_error).isprintable()
    assert not out.exists() or not files_under(out) - {f"{split}.npy" for split in SPLITS}
    return str(user_error)


def tree(*names: str) -> Spoil:
    return lambda root: write_tree(root, names)


def files(*names: str) -> Spoil:
    def write(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"no image")

    return write


def folders(*names: str) -> Spoil:
    return lambda root: [(root / name).mkdir(parents=True) for name in names]


def both(*writers: Spoil) -> Spoil:
    return lambda root: [write(root) for write in writers]
