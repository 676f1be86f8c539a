"""Exported features, read by the programs that they are for."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from byol_kedro.errors import UserError
from byol_kedro.export import features as module
from byol_kedro.export.features import Split, write_features

CLASSES = ["cat", "=1+1", "a\tb"]


def split(name="train", n=7, seed=0):
    """Images of one color each in random order, of which every second has features."""
    generator = np.random.default_rng(seed)
    pixels = (np.arange(2 * n)[:, None, None, None] * 10 * np.ones((2 * n, 3, 4, 4))).astype(np.uint8)
    index = generator.permutation(2 * n)[:n]
    return Split(
        name, [f"{name}/{number:02}.png" for number in index], generator.integers(-1, 3, n), CLASSES,
        generator.normal(size=(n, 5)).astype(np.float32), pixels, index,
    )  # fmt: skip


SPLITS = [split("train", 7, 0), split("test", 4, 1), split("unlabeled", 0)]
FEATURES = np.concatenate([each.features for each in SPLITS])
NAMES = [name for each in SPLITS for name in each.names]
LABELS = np.concatenate([each.labels for each in SPLITS])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 3)


def written(form, path: Path) -> Path:
    assert write_features(SPLITS, form, path) == 11
    return path


def test_csv_restores_every_float(tmp_path):
    table = pd.read_csv(written("csv", tmp_path / "f.csv"), keep_default_na=False)
    np.testing.assert_array_equal(table[[f"f{i}" for i in range(5)]].to_numpy(np.float32), FEATURES)
    assert table["name"].tolist() == NAMES
    assert table["split"].tolist() == ["train"] * 7 + ["test"] * 4
    assert table["label"].tolist() == LABELS.tolist()


def test_csv_has_no_formula(tmp_path):
    table = pd.read_csv(written("csv", tmp_path / "f.csv"), keep_default_na=False)
    assert dict(zip(table["label"], table["class"], strict=True)) == {-1: "", 0: "cat", 1: "'=1+1", 2: "a\tb"}


def test_npz_has_no_pickle(tmp_path):
    with np.load(written("npz", tmp_path / "f.npz"), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["features"], FEATURES)
        np.testing.assert_array_equal(arrays["labels"], LABELS)
        assert arrays["names"].tolist() == NAMES
        assert arrays["classes"].tolist() == ["" if label < 0 else CLASSES[label] for label in LABELS]


@pytest.mark.parametrize("form", ["parquet", "spotlight"])
def test_parquet_has_a_list_of_features(form, tmp_path):
    table = pd.read_parquet(written(form, tmp_path / "f.parquet"))
    np.testing.assert_array_equal(np.stack(table["features"]), FEATURES)
    assert table["name"].tolist() == NAMES
    assert table["class"].tolist() == ["" if label < 0 else CLASSES[label] for label in LABELS]


def test_spotlight_has_the_images(tmp_path):
    table = pd.read_parquet(written("spotlight", tmp_path / "f.parquet"))
    colors = [np.asarray(Image.open(io.BytesIO(image))) for image in table["image"]]
    assert [int(image[0, 0, 0]) for image in colors] == [10 * row for each in SPLITS for row in each.index]
    assert all(image.shape == (4, 4, 3) and (image == image[0, 0]).all() for image in colors)


def test_tensorboard_projector_reads_the_folder(tmp_path):
    plugin_module = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    written("tensorboard-projector", tmp_path / "run")
    plugin = plugin_module.ProjectorPlugin(SimpleNamespace(logdir=str(tmp_path / "run"), data_provider=None))
    configs, _ = plugin._read_latest_config_files([(".", str(tmp_path / "run"))])
    (embedding,) = configs["."].embeddings
    found = plugin_module._read_tensor_tsv_file(str(tmp_path / "run" / embedding.tensor_path))
    np.testing.assert_array_equal(found, FEATURES)
    lines = (tmp_path / "run" / embedding.metadata_path).read_text("utf-8").splitlines()
    assert lines[0].split("\t") == ["name", "split", "label", "class"]
    assert [line.split("\t")[0] for line in lines[1:]] == NAMES
    assert {len(line.split("\t")) for line in lines} == {4}


def test_images_of_the_projector_are_in_the_order_of_the_features(tmp_path):
    sheet = Image.open(written("tensorboard-projector", tmp_path / "run") / "images.png").convert("RGB")
    side, columns = module.THUMBNAIL, 4
    assert sheet.size == (columns * side, columns * side)
    for place, row in enumerate(row for each in SPLITS for row in each.index):
        corner = (place % columns * side + side // 2, place // columns * side + side // 2)
        assert sheet.getpixel(corner) == (10 * row,) * 3


def test_many_images_have_smaller_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_SPRITE", 100)
    assert Image.open(written("tensorboard-projector", tmp_path / "run") / "images.png").size == (100, 100)


@pytest.mark.parametrize("form", list(module.FORMATS))
def test_nothing_is_left_if_writing_fails(form, tmp_path):
    class Broken:
        shape = (7, 5)

        def __getitem__(self, rows):
            raise UserError("damaged")

        def __array__(self, *_args, **_kwargs):
            raise UserError("damaged")

    broken = [Split(**{**vars(SPLITS[0]), "features": Broken()})]
    with pytest.raises(UserError, match="damaged"):
        write_features(broken, form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_features_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="there are no features"):
        write_features([split(n=0)], "csv", tmp_path / "f.csv")
