"""A damaged artifact is a one-line error: never used silently, no traceback, no hang.

Over every entry of the catalog and every file of it; a new entry is among them.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.io import AbstractDataset, DatasetError

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from tests.support.damage import DAMAGE
from tests.support.kedro_runs import ROOT, Chain, type_kedro_run

CATALOG = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text("utf-8"))
ENTRIES = {name: config for name, config in CATALOG.items() if not name.startswith("_") and config.get("versioned")}
OTHER = "2999-01-01T00.00.00.000Z"


@pytest.fixture(scope="module")
def everything(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifacts of a run of every pipeline. Tests must not write into it."""
    root = Path(shutil.copytree(chain.data_root, tmp_path_factory.mktemp("everything") / "data"))
    images = root / "images"
    images.mkdir()
    shutil.copyfile(chain.versions("sample_grid")[0], images / "new.png")
    assert type_kedro_run(root, "--pipelines=predict", params=f"predict_root={images}").exit_code == 0
    assert type_kedro_run(root, "--pipelines=curate,explore").exit_code == 0
    return root


class Version:
    """A copy of the newest version of an entry."""

    def __init__(self, everything: Path, entry: str, place: Path) -> None:
        (original,) = everything.glob(f"*/{entry}.*")
        newest = max(original.iterdir())
        self.entry, self.filepath, self.version = entry, place / original.name, newest.name
        shutil.copytree(newest, self.folder)

    @property
    def folder(self) -> Path:
        return self.filepath / self.version

    @property
    def dataset(self) -> AbstractDataset[Any, Any]:
        config = ENTRIES[self.entry] | {"filepath": str(self.filepath)}
        return AbstractDataset.from_config(self.entry, config, self.version)

    def load(self) -> Any:
        """Load the entry, including arrays that are read lazily."""
        loaded = self.dataset.load()
        if isinstance(loaded, Tensors):
            for name in loaded.arrays:
                loaded[name]
        return loaded

    def fault(self) -> str:
        """The error of loading the entry."""
        with pytest.raises((DatasetError, UserError)) as caught:
            self.load()
        error = caught.value.__cause__ if isinstance(caught.value, DatasetError) else caught.value
        assert isinstance(error, UserError), repr(error)
        assert str(error).isprintable()
        return str(error)


def damaged_by(damage: Callable[[Path], None], everything: Path, entry: str, place: Path) -> Iterator[Version]:
    """Yield the version once for each of its files, with that file damaged."""
    version = Version(everything, entry, place)
    for path in sorted(version.folder.iterdir()):
        kept = path.read_bytes()
        damage(path)
        yield version
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(kept)


each_entry = pytest.mark.parametrize("entry", ENTRIES)


@each_entry
def test_an_intact_version_is_loaded_and_has_a_short_repr(everything: Path, entry: str, tmp_path: Path) -> None:
    loaded = Version(everything, entry, tmp_path).load()
    if hasattr(loaded, "__dataclass_fields__"):
        assert len(repr(loaded)) < 1000
        assert "\n" not in repr(loaded)


@each_entry
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line(everything: Path, entry: str, damage: str, tmp_path: Path) -> None:
    for version in damaged_by(DAMAGE[damage], everything, entry, tmp_path):
        assert f"{entry} of {version.version}: {version.folder}/" in version.fault()


@each_entry
@pytest.mark.parametrize("damage", ["empty", "the first bit flipped", "a pipe"])
def test_a_damaged_file_has_no_preview(everything: Path, entry: str, damage: str, tmp_path: Path) -> None:
    for version in damaged_by(DAMAGE[damage], everything, entry, tmp_path):
        if hasattr(version.dataset, "preview"):
            with pytest.raises((DatasetError, UserError)):
                version.dataset.preview()


@each_entry
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_line(everything: Path, entry: str, tmp_path: Path) -> None:
    for version in damaged_by(lambda path: path.chmod(0), everything, entry, tmp_path):
        assert "cannot be read: Permission denied" in version.fault()


@each_entry
def test_the_version_of_another_run_is_refused(everything: Path, entry: str, tmp_path: Path) -> None:
    copied = Version(everything, entry, tmp_path)
    copied.folder.rename(copied.filepath / OTHER)
    of, copied.version = copied.version, OTHER
    file = f"{copied.filepath.stem}."
    assert re.search(rf"is '{of}/{file}\w+' according to its \w+, '{OTHER}/{file}\w+' expected", copied.fault())


@each_entry
def test_the_error_names_another_version(everything: Path, entry: str, tmp_path: Path) -> None:
    damaged = Version(everything, entry, tmp_path)
    shutil.copytree(damaged.folder, damaged.filepath / OTHER)
    (damaged.folder / damaged.filepath.name).write_bytes(b"")
    assert damaged.fault().endswith(f", or read another version: --load-versions={entry}:{OTHER}")
