from pathlib import Path

import numpy as np
import pytest

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.raw import RawImages
from byol_kedro.parameters import Ingest
from byol_kedro.pipelines.ingest import create_pipeline
from byol_kedro.pipelines.ingest.grid import COLUMNS, MARGIN, TITLE, draw_grid
from byol_kedro.pipelines.ingest.nodes import ingest, summarise
from byol_kedro.pipelines.ingest.summary import count_shared

INGEST = Ingest(image_size=16, photos={"unlabeled": 3, "train": 2, "test": 1})


def images_of(pixels, labels=None, class_names=("a", "b")):
    count = len(pixels)
    labels = np.full(count, -1) if labels is None else np.array(labels)
    names = [str(i) for i in range(count)]
    return Images(pixels, labels, names, list(class_names), [], "mark", "made")


def random_images(count, side=6, seed=0, labels=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    return images_of(pixels, labels)


def test_the_three_splits_come_in_the_order_of_the_outputs():
    unlabeled, train, test = ingest(RawImages("photos", Path()), INGEST, 0)
    assert [stream.names[0].split("/")[0] for stream in (unlabeled, train, test)] == ["unlabeled", "train", "test"]
    outputs = create_pipeline().nodes[0].outputs
    assert outputs == ["images_unlabeled", "images_train", "images_test"]


def test_mean_and_deviation_of_a_split_are_those_of_its_pixels():
    images = random_images(4, labels=[0, 1, 1, 0])
    images.pixels[:, 2] = 77
    summary, _ = summarise(random_images(3), images, random_images(1, labels=[0]))
    train = summary["splits"]["train"]
    np.testing.assert_allclose(train["mean"], (images.pixels / 255).mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(train["std"], (images.pixels / 255).std(axis=(0, 2, 3)), rtol=1e-12, atol=1e-15)


def test_pictures_in_both_train_and_test_are_counted():
    train, test = random_images(5), random_images(4, seed=1)
    test.pixels[[1, 3]] = train.pixels[[4, 0]]
    assert count_shared(train, test) == 2


def test_the_summary_counts_classes_and_unlabelled_pictures():
    summary, _ = summarise(random_images(3), random_images(4, labels=[0, 1, 1, -1]), random_images(1, labels=[0]))
    train = summary["splits"]["train"]
    assert (train["count"], train["classes"], train["without_label"]) == (4, {"a": 1, "b": 2}, 1)
    assert train["bytes"] == 4 * 3 * 6 * 6
    assert (train["fingerprint"], train["source"], summary["source"]) == ("mark", "made", "made")
    assert summary["splits"]["unlabeled"]["classes"] == {}


def test_a_summary_of_no_unlabeled_pictures_is_json_too():
    summary, _ = summarise(random_images(0), random_images(2, labels=[0, 1]), random_images(1, labels=[0]))
    assert summary["splits"]["unlabeled"]["count"] == 0
    assert summary["splits"]["unlabeled"]["mean"] == []


@pytest.mark.parametrize(("side", "factor"), [(16, 4), (32, 2), (96, 1)])
def test_small_pictures_are_enlarged_by_a_whole_factor(side, factor):
    train = random_images(2, side=side, labels=[1, 0])
    grid = draw_grid(train, random_images(0, side=side))
    shown = side * factor
    assert grid.shape == (2 * (shown + MARGIN), TITLE + COLUMNS * (shown + MARGIN), 3)
    first_row = grid[:shown, TITLE : TITLE + shown][::factor, ::factor]
    np.testing.assert_array_equal(first_row, train.pixels[1].transpose(1, 2, 0))


def test_unlabeled_pictures_follow_in_rows_of_their_own():
    train, unlabeled = random_images(2, side=64, labels=[0, 1]), random_images(COLUMNS + 1, side=64, seed=1)
    grid = draw_grid(train, unlabeled)
    assert grid.shape[0] == 4 * (64 + MARGIN)
    last = grid[3 * (64 + MARGIN) :, TITLE:][:64, :64]
    np.testing.assert_array_equal(last, unlabeled.pixels[COLUMNS].transpose(1, 2, 0))
