"""Sampled pairs: distinct, within one split, and balanced over the range of the target."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from byol_kedro.pair_model.pairs import ConcatArray
from byol_kedro.pair_model.sampled import balance_over_range, cosine_distance, distinct_pairs, sample_pairs
from tests.support.pair_problems import PAIRS, changed

TRAIN, TEST = 60, 50


def images(count, side=8, seed=0):
    """Images of different contrast, so that the targets vary."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(-127, 128, (count, 3, side, side))
    return (128 + noise * generator.random((count, 1, 1, 1))).astype(np.uint8)


PIXELS = images(TRAIN + TEST)
NAMES = [f"train/{i}" for i in range(TRAIN)] + [f"test/{i}" for i in range(TEST)]


def draw(train=TRAIN, names=NAMES, pixels=PIXELS, seed=0, **settings):
    return sample_pairs(names, train, ConcatArray([pixels[:train], pixels[train:]]), changed(PAIRS, **settings), seed)


@given(images=st.integers(2, 60), count=st.integers(0, 400), seed=st.integers(0, 5))
@settings(deadline=None)
def test_sampled_pairs_are_distinct_and_of_different_images(images, count, seed):
    left, right = distinct_pairs(count, images, np.random.default_rng(seed))
    assert len({frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}) == len(left)
    assert len(left) == min(count, images * (images - 1) // 2)
    assert (left != right).all()
    assert set(left.tolist()) | set(right.tolist()) <= set(range(images))


def test_pairs_of_many_images_are_numbered_exactly():
    left, right = distinct_pairs(2000, 3_000_000, np.random.default_rng(0))
    assert ((right >= 0) & (right < left) & (left < 3_000_000)).all()


@given(
    train=st.integers(0, 30), test=st.integers(0, 30), count=st.integers(10, 200), seed=st.integers(0, 5),
    balanced=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_no_image_is_in_pairs_of_two_splits(train, test, count, seed, balanced):
    names = [f"train/{i}" for i in range(train)] + [f"test/{i}" for i in range(test)]
    table = draw(train, names, images(train + test), seed, count=count, balanced=balanced)
    seen = {split: set(rows["left"]) | set(rows["right"]) for split, rows in table.groupby("split")}
    assert sum(map(len, seen.values())) == len(set().union(*seen.values()))
    assert all(name.startswith("test/") == (split == "test") for split in seen for name in seen[split])


@pytest.mark.parametrize("split", ["image", "pair"])
@pytest.mark.parametrize("target", ["psnr", "ssim", "cosine"])
@pytest.mark.parametrize(("train", "test"), [(0, 0), (1, 0), (1, 1), (2, 1), (1, 2), (2, 0)])
def test_a_single_image_is_in_no_pair(train, test, target, split):
    names = [f"train/{i}" for i in range(train)] + [f"test/{i}" for i in range(test)]
    values = np.ones((train + test, 4), np.float32) if target == "cosine" else images(train + test)
    table = draw(train, names, values, target=target, split=split, balanced=True)
    expected = {name for name, count in (("train", train), ("test", test)) if count == 2}
    if split == "image":
        assert set(table["split"]) == expected
    assert len(table) == (len(expected) if split == "image" else (train + test) * (train + test - 1) // 2)
    assert list(table.dtypes.astype(str)) == ["str", "str", "float64", "float64", "float64", "str"]


def test_sizes_of_the_splits():
    counts = draw(count=200, validation=0.2)["split"].value_counts().to_dict()
    assert counts == {"train": 128, "validation": 32, "test": 40}


def test_split_by_pair_shares_images():
    table = draw(split="pair")
    seen = {split: set(rows["left"]) | set(rows["right"]) for split, rows in table.groupby("split")}
    assert len(seen["test"] & seen["train"]) > 0.9 * len(seen["test"])


def test_psnr_target_matches_scikit_image():
    table = draw(count=10)
    pixels = dict(zip(NAMES, PIXELS, strict=True))
    theirs = [1 / (2 * peak_signal_noise_ratio(pixels[row.left], pixels[row.right])) for row in table.itertuples()]
    np.testing.assert_allclose(table["target"], theirs)
    np.testing.assert_allclose(1 / (table["psnr_1"] + table["psnr_2"]), theirs)


def test_ssim_target_matches_scikit_image():
    table = draw(count=10, target="ssim")
    pixels = dict(zip(NAMES, PIXELS, strict=True))
    theirs = [1 - structural_similarity(pixels[r.left], pixels[r.right], channel_axis=0) for r in table.itertuples()]
    np.testing.assert_allclose(table["target"], theirs, atol=1e-6)


def test_cosine_target_matches_scipy():
    features = np.random.default_rng(0).normal(size=(TRAIN + TEST, 5)).astype(np.float32)
    table = draw(count=10, target="cosine", pixels=features)
    rows = dict(zip(NAMES, features, strict=True))
    theirs = [cosine(rows[row.left], rows[row.right]) for row in table.itertuples()]
    np.testing.assert_allclose(table["target"], theirs, rtol=1e-5)


def test_cosine_distance_of_a_zero_vector_is_one():
    assert cosine_distance(ConcatArray([np.eye(2, dtype=np.float32) * [[0], [1]]]), np.array([0]), np.array([1])) == [1]


def test_sampled_pairs_depend_on_the_seed():
    one, same, other = (draw(seed=seed, balanced=True) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, same)
    assert not one[["left", "right"]].equals(other[["left", "right"]])


def test_balanced_values_are_uniform_over_their_range():
    values = np.random.default_rng(0).normal(size=20_000)
    kept = values[balance_over_range(values, 1000, np.random.default_rng(1))]
    low, high = np.quantile(values, [0.005, 0.995])
    counts, _ = np.histogram(kept.clip(low, high), bins=20, range=(low, high))
    assert counts.min() >= 49
    assert counts.max() <= 51


def test_missing_values_of_a_part_are_taken_from_the_others():
    values = np.concatenate([np.zeros(900), np.full(20, 1.0)])
    kept = values[balance_over_range(values, 100, np.random.default_rng(0))]
    assert ((kept == 0).sum(), (kept == 1).sum()) == (80, 20)


@pytest.mark.parametrize("values", [np.ones(30), np.arange(3.0)], ids=["all the same", "fewer than asked"])
def test_values_are_kept_once(values):
    kept = balance_over_range(values, 20, np.random.default_rng(0))
    assert len(set(kept.tolist())) == len(kept) == min(20, len(values))


def test_balanced_pairs_have_a_wider_spread():
    plain, balanced = (draw(count=100, balanced=choice)["target"].std() for choice in (False, True))
    assert balanced > 1.1 * plain
