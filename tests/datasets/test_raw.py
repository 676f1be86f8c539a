"""Raw images are opened by their source when they are used."""

import importlib
import subprocess
import sys

import pytest
from kedro.io import DatasetError

from byol_kedro.datasets.raw import RawImagesDataset
from byol_kedro.errors import UserError
from byol_kedro.sources import SOURCES
from tests.support.image_datasets import ingest_parameters

INGEST = ingest_parameters(16, photos={"unlabeled": 1, "train": 1, "test": 1})


@pytest.mark.parametrize("name", SOURCES)
def test_source_names_match_the_registry(name):
    module, _, kind = SOURCES[name].partition(":")
    assert getattr(importlib.import_module(module), kind).name == name


def test_load_opens_nothing(tmp_path):
    handle = RawImagesDataset(source="stl10", filepath=str(tmp_path / "none"), url="never").load()
    with pytest.raises(UserError, match="stl10_binary"):
        handle.open(INGEST, seed=0)


def test_handle_opens_the_source(tmp_path):
    source = RawImagesDataset(source="photos", filepath=str(tmp_path)).load().open(INGEST, seed=0)
    assert source.stream("test").count == 16


def test_raw_images_are_read_only(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        RawImagesDataset(source="photos", filepath=str(tmp_path)).save("anything")


def test_credentials_reach_the_file_system_and_are_not_shown(monkeypatch):
    given = []
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda address, **options: given.append(options) or [None, None])
    dataset = RawImagesDataset(source="folder", filepath="s3://b/x", credentials={"secret": "hidden"})
    with pytest.raises(AttributeError):
        dataset.load().open(INGEST, seed=0)
    assert given == [{"secret": "hidden"}]
    assert "hidden" not in f"{dataset} {dataset.load()}"


def test_source_names_do_not_import_numpy():
    code = "import sys, byol_kedro.sources; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
