"""Outputs of runs are never used as images, and images of the user are never ignored silently."""

import logging
import shutil
from pathlib import Path

import pytest
import yaml

from byol_kedro.datasets.new_images import NewImagesDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.errors import UserError
from byol_kedro.pipelines.ingest.data_summary import log_summary
from byol_kedro.sources import encoded as module
from byol_kedro.sources.outputs import MANIFEST
from tests.support.image_datasets import NEW, OLD, ingest_parameters
from tests.support.image_folders import SIDE, SPLITS, colors, decode_here, ingested, write_image, write_tree
from tests.support.kedro_runs import ROOT

IMAGES = ("02_intermediate/sample_grid.png", "06_models/first_views.png", "08_reporting/cluster_sheet.png")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(module, "decode_all", decode_here)


def write_outputs(data_root: Path, *versions: str) -> Path:
    """Write the outputs of runs that matter here."""
    for version in versions or (OLD, NEW):
        for number, name in enumerate(IMAGES):
            write_image(data_root / name / version / Path(name).name, 900 + number)
        manifest = data_root / "08_reporting/run_manifest.json" / version / "run_manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text("{}")
        (data_root / "08_reporting/more.csv").write_text("")
    return data_root


def ingest(root: Path, out: Path, version: str = NEW):
    return ingested("folder", root, out, version)


def found(root: Path) -> list[int]:
    """Return the colors of all ingested images."""
    images = ingest(root, root.parent / "out")
    return sorted(color for split in SPLITS for color in colors(images[split]))


def test_manifest_path_matches_the_catalog():
    entry = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text("utf-8"))["run_manifest"]
    assert entry["filepath"] == f"${{_root}}/{MANIFEST}"


def test_all_catalog_folders_are_output_folders():
    from byol_kedro.sources.outputs import _LAYER  # noqa: PLC0415

    catalog = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text("utf-8"))
    paths = [entry["filepath"] for name, entry in catalog.items() if name[0] != "_" and "filepath" in entry]
    outputs = [path.removeprefix("${_root}/") for path in paths if path.startswith("${_root}/")]
    assert len(outputs) > 40
    assert all(_LAYER.fullmatch(path.split("/")[0]) for path in outputs)


PLACES = {
    "below the images": "deep/er/runs",
    "beside the images": "runs",
    "with a dot in its name": "runs.png",
    "the folder of the images": ".",
}


@pytest.mark.parametrize("place", PLACES)
def test_outputs_below_unlabeled_images_are_ignored(tmp_path, place):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(6)] + ["deep/6.png"])
    write_outputs(root / PLACES[place])
    assert found(root) == list(range(7))


@pytest.mark.parametrize("place", ["train", "unlabeled", "test", "train/a", "unlabeled/deep", "."])
def test_outputs_below_splits_are_ignored(tmp_path, place):
    names = [f"train/{label}/{n}.png" for label in "ab" for n in range(3)] + ["test/a/0.png", "unlabeled/deep/0.png"]
    root = write_tree(tmp_path / "raw", names)
    write_outputs(root / place / ("runs" if place in ("train/a", "unlabeled/deep") else "."))
    images = ingest(root, tmp_path / "out")
    assert [len(images[split]) for split in SPLITS] == [1, 6, 1]
    assert images["train"].class_names == ["a", "b"]


def test_ignored_outputs_are_counted(tmp_path, caplog):
    root = write_tree(tmp_path / "raw", ["train/0.png", "train/1.png", "unlabeled/2.png", "unlabeled/x.heic"])
    write_outputs(root / "unlabeled/one")
    write_outputs(root / "unlabeled/two")
    images = ingest(root, tmp_path / "out")
    assert images["unlabeled"].ignored == {"outputs of runs": 2, ".heic": 1}
    with caplog.at_level(logging.INFO):
        log_summary(images)
    assert "1 file of other types ignored: .heic 1; outputs of runs ignored in 2 places" in caplog.text


def test_new_outputs_do_not_change_the_images(tmp_path):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(6)])
    write_outputs(root, OLD)
    ingest(root, tmp_path / "out", OLD)
    write_outputs(root, NEW)
    (root / "06_models/checkpoints").mkdir()
    (root / "06_models/checkpoints/x.safetensors").write_text("")
    ingest(root, tmp_path / "out", NEW)
    assert (tmp_path / f"out/train.npy/{NEW}/train.npy").stat().st_nlink == 2


def test_raw_root_inside_a_data_root_is_read(tmp_path):
    """By default, raw_root is data/01_raw in the data_root data."""
    root = write_tree(write_outputs(tmp_path / "data") / "01_raw", [f"{n}.png" for n in range(6)])
    assert found(root) == list(range(6))


def test_image_beside_outputs_is_an_error(tmp_path):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(6)])
    write_image(write_outputs(root / "runs") / "mine/x.png")
    with pytest.raises(UserError, match=r"raw/runs is a data_root, .* but it contains mine/x.png; move this image"):
        RawImages("folder", root).open(ingest_parameters(SIDE), 0)


@pytest.mark.parametrize(
    "place", ["02_intermediate", "02_intermediate/sample_grid.png", f"02_intermediate/sample_grid.png/{NEW}"]
)
def test_output_folder_as_root_is_refused(tmp_path, place):
    outputs = write_outputs(tmp_path / "data") / place
    write_tree(tmp_path / "raw", ["train/0.png", "train/1.png"])
    (tmp_path / "link").symlink_to(outputs)
    (tmp_path / "raw/unlabeled").symlink_to(outputs)
    for source in ("folder", "array"):
        for root in (outputs, tmp_path / "link", tmp_path / "raw/../data" / place):
            with pytest.raises(UserError, match=r"^raw_root: .* is a folder of run outputs"):
                RawImages(source, root).open(ingest_parameters(SIDE), 0)
    with pytest.raises(UserError, match="raw/unlabeled is a folder of run outputs"):
        RawImages("folder", tmp_path / "raw").open(ingest_parameters(SIDE), 0)
    with pytest.raises(UserError, match=r"^predict_root: .* is a folder of run outputs"):
        NewImagesDataset.load.__wrapped__(NewImagesDataset(filepath=str(tmp_path / "link")))


LINKS = {
    "the data_root": ".",
    "its folder": "02_intermediate",
    "an entry": IMAGES[0],
    "a version": f"{IMAGES[0]}/{NEW}",
    "a file": f"{IMAGES[0]}/{NEW}/sample_grid.png",
}


@pytest.mark.parametrize("name", LINKS)
def test_links_to_outputs_are_not_followed(tmp_path, name):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(6)])
    write_outputs(tmp_path / "data")
    (tmp_path / "first").symlink_to(tmp_path / "data" / LINKS[name])
    (root / "x.png").symlink_to(tmp_path / "first")
    assert found(root) == list(range(6))


def test_links_to_other_images_are_followed(tmp_path):
    write_outputs(tmp_path / "data")
    write_tree(tmp_path / "data/mine", ["0.png", "1.png"])
    root = write_tree(tmp_path / "raw", ["2.png", "3.png"])
    (root / "more").symlink_to(tmp_path / "data/mine")
    (root / "x.png").symlink_to(tmp_path / "data/mine/1.png")
    assert found(root) == [0, 0, 1, 1, 1]


def test_copied_outputs_are_recognized(tmp_path):
    root = write_tree(tmp_path / "raw", [f"{n}.png" for n in range(6)])
    write_outputs(tmp_path / "data")
    for name in IMAGES:
        shutil.copytree(tmp_path / "data" / name, root / "kept" / Path(name).name)
    assert found(root) == list(range(6))


def test_folders_similar_to_outputs_are_read(tmp_path):
    """For example folders of another Kedro project."""
    names = ["02_intermediate/0.png", "08_reporting/1.png", "cats.png/2.png", f"{OLD}/3.png", f"x.png/{OLD}/4.png"]
    root = write_tree(tmp_path / "raw", names)
    (root / "02_intermediate/table.csv" / OLD).mkdir(parents=True)
    assert found(root) == list(range(5))


def test_outputs_are_ignored_by_predict(tmp_path):
    root = write_tree(tmp_path / "new", ["0.png", "deep/1.png"])
    write_outputs(root)
    write_outputs(root / "deep/runs")
    loaded = NewImagesDataset(filepath=str(root)).load()
    assert loaded.names == ["0.png", "deep/1.png"]
    assert loaded.ignored == {"outputs of runs": 2}


def test_folder_with_only_outputs_is_refused(tmp_path):
    root = write_outputs(tmp_path / "data")
    with pytest.raises(UserError, match=r"no images found in .*/data \(ignored: 1 × outputs of runs\)"):
        RawImages("folder", root).open(ingest_parameters(SIDE), 0)
    with pytest.raises(UserError, match="outputs of runs ignored in 1 place"):
        NewImagesDataset.load.__wrapped__(NewImagesDataset(filepath=str(root)))
