"""The map of all splits: each image once, with its class and the names of the nearest others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Explore
from byol_kedro.pipelines.explore import nodes
from tests.support.evaluation_inputs import DATA, ENCODER, images, latents

SETTINGS = Explore(method="tsne", points=1000, clusters=3, neighbors=4)


def unlabeled(count):
    """The first test images again, as images without labels."""
    test = images("test")
    split = replace(test, labels=np.full(30, -1), names=[f"unlabeled/{i:02}" for i in range(30)])
    arrays = {"features": DATA.test_x[:count], "labels": np.full(count, -1), "index": np.arange(count)}
    return split, Tensors(arrays, latents("test").header)


def mapped(count=5, **changes):
    split, features = unlabeled(count)
    return nodes.map_images(
        ENCODER, latents("train"), latents("test"), features, images("train"), images("test"), split,
        SETTINGS.model_copy(update=changes), 0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def table_and_neighbors():
    return mapped()


def test_every_image_with_features_is_on_the_map_once(table_and_neighbors):
    table, _ = table_and_neighbors
    assert table["split"].value_counts().to_dict() == {"train": 60, "test": 30, "unlabeled": 5}
    assert table["name"].is_unique
    assert np.isfinite(table[["x", "y"]]).all(axis=None)


def test_images_have_their_class(table_and_neighbors):
    table, _ = table_and_neighbors
    by_name = table.set_index("name")
    split = images("train")
    assert [by_name.loc[name, "class"] for name in split.names] == [split.class_names[y] for y in split.labels]
    assert by_name.loc["unlabeled/00", ["label", "class"]].tolist() == [-1, ""]


def test_nearest_neighbor_of_a_copy_is_the_original(table_and_neighbors):
    table, neighbors = table_and_neighbors
    row = table.index[table["name"] == "unlabeled/03"][0]
    assert neighbors.loc[row, "neighbor_1"] == "test/03"
    assert list(neighbors.columns) == ["neighbor_1", "neighbor_2", "neighbor_3", "neighbor_4"]


def test_more_images_than_points_are_sampled_with_the_seed():
    table, neighbors = mapped(points=20)
    assert len(table) == len(neighbors) == 20
    assert set(neighbors.to_numpy().ravel()) <= set(table["name"])
    pd.testing.assert_frame_equal(table, mapped(points=20)[0])


def test_features_of_another_encoder_are_refused():
    other = Tensors({}, {"version": "v2", "fingerprint": "e2"})
    split, features = unlabeled(0)
    with pytest.raises(UserError, match="do not match encoder v2"):
        nodes.map_images(
            other, latents("train"), latents("test"), features, images("train"), images("test"), split, SETTINGS, 0
        )


def test_one_image_has_no_map():
    split, nothing = unlabeled(0)
    some = Tensors({name: nothing.arrays[name][:0] for name in ("features", "labels", "index")}, nothing.header)
    one = Tensors(
        {"features": DATA.train_x[:1], "labels": DATA.train_y[:1], "index": np.arange(1)}, latents("train").header
    )
    table, neighbors = nodes.map_images(
        ENCODER, one, some, nothing, images("train"), images("test"), split, SETTINGS, 0
    )
    assert len(table) == len(neighbors) == 0
    page = nodes.write_explorer(
        Tensors({}, {**ENCODER.header, "architecture": "resnet18"}), table, neighbors, images("train"),
        images("test"), split,
    )  # fmt: skip
    assert "0 images" in page
