"""Splits, overlap, summary and grid of the ingested images, and what is logged about them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byol_kedro.byol import statistics
from byol_kedro.datasets.image_grid import COLUMNS, MARGIN, TITLE, class_grid
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.raw import RawImages
from byol_kedro.pipeline_registry import build_pipelines
from byol_kedro.pipelines.ingest import create_pipeline
from byol_kedro.pipelines.ingest.data_summary import describe
from byol_kedro.pipelines.ingest.nodes import ingest, summarize
from byol_kedro.pipelines.ingest.overlap import SHOWN, ImageHashes, contradicting_labels, count_overlap
from tests.support.image_datasets import ingest_parameters

INGEST = ingest_parameters(16, photos={"unlabeled": 3, "train": 2, "test": 1})


def images_of(pixels, labels=None, class_names=("a", "b")):
    count = len(pixels)
    labels = np.full(count, -1) if labels is None else np.array(labels)
    names = [str(i) for i in range(count)]
    return Images(pixels, labels, names, list(class_names), [], "mark", "made")


def random_images(count, side=6, seed=0, labels=None):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    return images_of(pixels, labels)


def test_the_splits_are_in_the_order_of_the_outputs():
    unlabeled, train, test = ingest(RawImages("photos", Path()), INGEST, 0)
    assert [stream.index.names[0].split("/")[0] for stream in (unlabeled, train, test)] == [
        "unlabeled",
        "train",
        "test",
    ]
    outputs = create_pipeline().nodes[0].outputs
    assert outputs == ["images_unlabeled", "images_train", "images_test"]


def test_images_are_described_before_pretraining():
    names = [node.name for node in build_pipelines(["__default__"])["__default__"].nodes]
    assert names[:2] == ["ingest.read_images", "ingest.describe_images"]


def test_channel_statistics_of_a_split():
    images = random_images(4, labels=[0, 1, 1, 0])
    images.pixels[:, 2] = 77
    summary, _ = summarize(random_images(3), images, random_images(1, labels=[0]))
    train = summary["splits"]["train"]
    np.testing.assert_allclose(train["mean"], (images.pixels / 255).mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(train["std"], (images.pixels / 255).std(axis=(0, 2, 3)), rtol=1e-12, atol=1e-15)


def copies(images, rows):
    """Some of the images, a little brighter."""
    return np.minimum(images.pixels[rows].astype(int) + 3, 255).astype(np.uint8)


def overlap(unlabeled, train, test):
    return count_overlap(*map(ImageHashes.of, (unlabeled, train, test)))


def test_overlap_is_counted_and_named():
    unlabeled, train, test = (random_images(n, side=16, seed=seed) for seed, n in enumerate((6, 5, 4)))
    test.pixels[[1, 3]] = train.pixels[[4, 0]]
    test.pixels[2:3] = copies(unlabeled, [5])
    assert overlap(unlabeled, train, test) == {
        "train": {"identical": 2, "near": 0, "pairs": ["1 4 (identical)", "3 0 (identical)"]},
        "unlabeled": {"identical": 0, "near": 1, "pairs": ["2 5 (0 bits)"]},
    }


def test_equal_hashes_of_different_images_are_no_overlap():
    train, test = random_images(3, side=16), random_images(2, side=16, seed=1)
    train.pixels[1], test.pixels[0] = 40, 200  # all hashes of plain images are the same
    seen = overlap(random_images(0, side=16), train, test)["train"]
    assert seen == {"identical": 0, "near": 0, "pairs": []}


def test_a_test_image_with_two_copies_counts_once():
    train, test = random_images(3, side=16), random_images(2, side=16, seed=1)
    train.pixels[2] = train.pixels[1]
    test.pixels[0] = train.pixels[1]
    assert overlap(random_images(0, side=16), train, test)["train"]["identical"] == 1


def test_the_number_of_named_pairs_is_limited():
    train = random_images(4 * SHOWN, side=16)
    seen = overlap(random_images(0, side=16), train, train)["train"]
    assert (seen["identical"], len(seen["pairs"])) == (4 * SHOWN, SHOWN)


def test_overlap_is_warned_of(caplog):
    unlabeled, train, test = (random_images(n, side=16, seed=seed) for seed, n in enumerate((6, 5, 4)))
    overlap(unlabeled, train, test)
    assert not caplog.messages
    test.pixels[0] = train.pixels[2]
    overlap(unlabeled, train, test)
    (line,) = caplog.messages
    assert line.startswith(
        "some of 4 test images are also training images, or nearly identical to one "
        "(train: 1 identical, 0 near; unlabeled: 0 identical,"
    )


def test_overlap_is_computed_in_batches(monkeypatch):
    train, test = random_images(5, side=16), random_images(4, side=16, seed=1)
    test.pixels[3] = train.pixels[4]
    monkeypatch.setattr(statistics, "CHUNK", 2)
    assert overlap(random_images(0, side=16), train, test)["train"]["pairs"] == ["3 4 (identical)"]


def test_identical_images_of_different_classes_are_counted_and_named(caplog):
    train, test = random_images(5, labels=[0, 1, 0, 1, -1]), random_images(3, seed=1, labels=[1, 1, 0])
    train.pixels[[1, 2, 4]] = train.pixels[0]  # classes b, a and unknown; the first is of class a
    test.pixels[0] = train.pixels[3]  # the same class
    test.pixels[2] = train.pixels[3]
    summary, _ = summarize(random_images(2, seed=2), train, test)
    assert summary["contradicting_labels"] == {"images": 6, "pairs": ["0 (a) 1 (b)", "3 (b) 2 (a)"]}
    assert any(
        line.startswith("6 labeled images are identical to one of another class, see data_summary; for example 0 (a) 1")
        for line in caplog.messages
    )


def test_identical_images_of_one_class_are_no_contradiction(caplog):
    train = random_images(3, labels=[0, 0, 1])
    train.pixels[1] = train.pixels[0]
    assert contradicting_labels(ImageHashes.of(train)) == {"images": 0, "pairs": []}
    assert not caplog.messages


def test_the_summary_counts_classes_and_unlabeled_images():
    summary, _ = summarize(random_images(3), random_images(4, labels=[0, 1, 1, -1]), random_images(1, labels=[0]))
    train = summary["splits"]["train"]
    assert (train["count"], train["classes"], train["without_label"]) == (4, {"a": 1, "b": 2}, 1)
    assert train["bytes"] == 4 * 3 * 6 * 6
    assert (train["fingerprint"], train["source"], summary["source"]) == ("mark", "made", "made")
    assert summary["splits"]["unlabeled"]["classes"] == {}


def test_the_summary_of_an_empty_split():
    summary, _ = summarize(random_images(0), random_images(2, labels=[0, 1]), random_images(1, labels=[0]))
    assert summary["splits"]["unlabeled"]["count"] == 0
    assert summary["splits"]["unlabeled"]["mean"] == []


@pytest.mark.parametrize(("side", "factor"), [(16, 4), (32, 2), (96, 1)])
def test_small_images_are_enlarged_by_a_whole_factor(side, factor):
    train = random_images(2, side=side, labels=[1, 0])
    grid = class_grid(train, random_images(0, side=side))
    shown = side * factor
    assert grid.shape == (2 * (shown + MARGIN), TITLE + COLUMNS * (shown + MARGIN), 3)
    first_row = grid[:shown, TITLE : TITLE + shown][::factor, ::factor]
    np.testing.assert_array_equal(first_row, train.pixels[1].transpose(1, 2, 0))


def test_the_grid_shows_unlabeled_images_last():
    train, unlabeled = random_images(2, side=64, labels=[0, 1]), random_images(COLUMNS + 1, side=64, seed=1)
    grid = class_grid(train, unlabeled)
    assert grid.shape[0] == 4 * (64 + MARGIN)
    last = grid[3 * (64 + MARGIN) :, TITLE:][:64, :64]
    np.testing.assert_array_equal(last, unlabeled.pixels[COLUMNS].transpose(1, 2, 0))


def test_the_grid_shows_unlabeled_training_images_without_an_unlabeled_split():
    train, unlabeled = random_images(3, side=64, labels=[-1] * 3), random_images(0, side=64)
    grid = class_grid(replace(train, class_names=[]), unlabeled)
    assert grid.shape[0] == 64 + MARGIN
    np.testing.assert_array_equal(grid[:64, TITLE:][:, :64], train.pixels[0].transpose(1, 2, 0))


def test_the_grid_of_no_images_is_one_empty_row():
    nothing = replace(random_images(0, side=64), class_names=[])
    assert class_grid(nothing, nothing).shape[0] == 64 + MARGIN


def test_the_summary_lists_broken_and_ignored_files():
    images = replace(random_images(2), broken={"train/x.jpg": "the file is empty"}, ignored={".txt": 3})
    summary = describe(images)
    assert summary["broken"] == {"train/x.jpg": "the file is empty"}
    assert summary["ignored"] == {".txt": 3}


def test_the_log_counts_unreadable_images(caplog):
    caplog.set_level("INFO")
    summarize(
        random_images(0), replace(random_images(2), broken={"train/x.jpg": "the file is empty"}), random_images(1)
    )
    assert caplog.messages[0] == (
        "images: 0 unlabeled, 2 train, 1 test; 1 could not be read and are skipped, see data_summary"
    )


def test_the_log_names_the_most_frequent_ignored_types(caplog):
    caplog.set_level("INFO")
    kinds = {
        ".txt": 1,
        ".nef": 10,
        ".heic": 30,
        ".db": 1,
        "no suffix": 2,
        "hidden": 7,
        "folders linked a second time": 1,
    }
    summarize(
        replace(random_images(1), ignored={".heic": 10}), replace(random_images(2), ignored=kinds), random_images(1)
    )
    assert caplog.messages[0] == (
        "images: 1 unlabeled, 2 train, 1 test; "
        "54 files of other types ignored: .heic 40, .nef 10, no suffix 2, .db 1, …"
    )


@pytest.mark.parametrize(
    ("ignored", "words"),
    [
        ({"system folders": 1}, "1 system folder ignored"),
        ({".txt": 1, "system folders": 2}, "1 file of other types ignored: .txt 1; 2 system folders ignored"),
    ],
)
def test_the_log_counts_ignored_system_folders(caplog, ignored, words):
    caplog.set_level("INFO")
    summarize(random_images(0), replace(random_images(2), ignored=ignored), random_images(1))
    assert caplog.messages[0] == f"images: 0 unlabeled, 2 train, 1 test; {words}"


def test_the_log_counts_held_out_images(caplog):
    caplog.set_level("INFO")
    summarize(random_images(1), random_images(8), replace(random_images(2), held_out=True))
    assert caplog.messages[0] == ("images: 1 unlabeled, 8 train, 2 test; no test split: 2 of 10 are held out as test")


def test_classes_without_training_images_are_logged(caplog):
    names = [f"class {number}" for number in range(9)]
    train = replace(random_images(2), labels=np.array([1, 1]), class_names=names)
    summarize(random_images(0), train, replace(random_images(1), class_names=names))
    (line,) = (message for message in caplog.messages if "without training images" in message)
    assert line == (
        "8 of 9 classes without training images, which cannot be learned: "
        "class 0, class 2, class 3, class 4, class 5, …"
    )


def test_hidden_files_are_not_logged(caplog):
    caplog.set_level("INFO")
    summarize(random_images(0), replace(random_images(2), ignored={"hidden": 3}), random_images(1))
    assert caplog.messages[0] == "images: 0 unlabeled, 2 train, 1 test"
