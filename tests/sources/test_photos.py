"""Patches of the built-in photographs: splits share no pixel, and the seed determines them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from byol_kedro.errors import UserError
from byol_kedro.sources import photos as module
from byol_kedro.sources.photos import PHOTOGRAPHS, Photograph, PhotosSource, crop, draw_boxes
from tests.support.image_datasets import NEW, OLD, images_dataset, ingest_parameters

COUNTS = {"unlabeled": 3, "train": 2, "test": 2}


def open_source(side=16, seed=0, **counts):
    return PhotosSource(Path(), ingest_parameters(side, photos=COUNTS | counts), seed)


def pixels_of(source, split):
    return np.concatenate(list(source.stream(split).batches()))


def covered(size, split, image_size, seed):
    """The pixels of the photograph that the patches of a split consist of."""
    identities = np.arange(size[0] * size[1]).reshape(size[1], size[0])
    seen = set()
    for left, top, side in draw_boxes(size, split, 20, image_size, np.random.default_rng(seed)).tolist():
        patch = identities[top : top + side, left : left + side]
        assert patch.shape == (side, side), "the patch leaves the photograph"
        seen.update(patch.ravel().tolist())
    return seen


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(16, 90), st.integers(8, 60)),
    image_size=st.integers(8, 64),
    seed=st.integers(0, 2**32 - 1),
)
def test_splits_share_no_pixel(size, image_size, seed):
    test = covered(size, "test", image_size, seed)
    assert not test & covered(size, "train", image_size, seed + 1)
    assert not test & covered(size, "unlabeled", image_size, seed + 2)


@pytest.mark.parametrize(("split", "shade"), [("unlabeled", 0), ("train", 0), ("test", 255)])
def test_resampling_does_not_cross_the_border(monkeypatch, split, shade):
    halves = np.zeros((64, 101, 3), dtype=np.uint8)
    halves[:, 101 // 2 :] = 255
    monkeypatch.setattr(Photograph, "read", lambda _: Image.fromarray(halves))
    assert np.unique(pixels_of(open_source(train=40, test=40), split)).tolist() == [shade]


def test_patch_without_resizing_is_exact():
    photograph = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    patch = crop(Image.fromarray(photograph), np.array([[5, 7, 8]]), 8)[0]
    np.testing.assert_array_equal(patch, photograph[7:15, 5:13].transpose(2, 0, 1))


def test_reduced_patch_is_an_average():
    checkers = np.indices((24, 24)).sum(axis=0) % 2 * 255
    photograph = Image.fromarray(np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8))
    patch = crop(photograph, np.array([[0, 0, 24]]), 8)[0]
    assert np.abs(patch.astype(int) - 127).max() <= 30


def test_all_photographs_are_installed_and_large_enough():
    for name, place in PHOTOGRAPHS.items():
        photograph = place.read()
        assert photograph.mode == "RGB", name
        assert min(photograph.width // 2, photograph.height) >= 3 * 32, name


def test_no_patch_is_black():
    # A patch of nothing but black, as in the corners around the retina, could be of any class.
    for split in ("train", "test"):
        brightest = pixels_of(open_source(side=32, train=20, test=20), split).max(axis=(1, 2, 3))
        assert brightest.min() > 8


def test_labels_names_and_images_match():
    source = open_source()
    stream = source.stream("train")
    index = stream.index
    assert index.labels.tolist() == np.repeat(np.arange(len(PHOTOGRAPHS)), 2).tolist()
    for label, name in zip(index.labels, index.names, strict=True):
        assert name.split("/")[1] == source.class_names[label]
    assert source.stream("unlabeled").index.labels.tolist() == [-1] * 3 * len(PHOTOGRAPHS)
    assert pixels_of(source, "train").shape == (stream.count, 3, 16, 16)


def test_names_are_unique():
    names = [name for split in COUNTS for name in open_source().stream(split).index.names]
    assert len(set(names)) == len(names)


def test_patches_depend_on_the_seed():
    first = pixels_of(open_source(), "train")
    np.testing.assert_array_equal(first, pixels_of(open_source(), "train"))
    assert (first != pixels_of(open_source(seed=1), "train")).any()


def test_unlabeled_and_training_patches_differ():
    source = open_source(unlabeled=2)
    assert (pixels_of(source, "train") != pixels_of(source, "unlabeled")).any()


def test_zero_unlabeled_patches_are_an_empty_split(tmp_path):
    dataset = images_dataset(tmp_path, NEW)
    dataset.save(open_source(unlabeled=0).stream("unlabeled"))
    assert dataset.load().pixels.shape == (0, 3, 16, 16)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"side": 17}, {"train": 3}])
def test_changed_parameters_give_new_patches(tmp_path, changes):
    images_dataset(tmp_path, OLD).save(open_source().stream("train"))
    changed = open_source(**changes)
    images_dataset(tmp_path, NEW).save(changed.stream("train"))
    np.testing.assert_array_equal(images_dataset(tmp_path, NEW).load().pixels, pixels_of(changed, "train"))


def test_missing_photograph_is_named(monkeypatch):
    monkeypatch.setitem(module.PHOTOGRAPHS, "gone", Photograph("skimage", "data/gone.png"))
    with pytest.raises(UserError, match=r"gone\.png is missing; install skimage"):
        open_source()
