"""Pairs as rows of features, and held-out pairs."""

import numpy as np
import pytest

from byol_kedro.pair_model.pairs import (
    COLUMNS,
    ConcatArray,
    ImagePool,
    held_out_mask,
    pair_set,
    pair_table,
    split_by_pair,
)

NAMES = ["a", "b", "c", "d"]


def pool_of(*parts, names=NAMES):
    """Features of images; the first part has the train images."""
    return ImagePool(names, ConcatArray(parts), parts[0])


def table(*rows):
    left, right, target, split = zip(*rows, strict=True)
    return pair_table(NAMES, np.array(left), np.array(right), np.array(target), np.array(split))


def test_pairs_refer_to_the_features_of_their_images():
    pool = pool_of(np.arange(3.0).reshape(3, 1), np.array([[3.0]]), names=NAMES[::-1])
    pairs = pair_set(table((0, 3, 0.1, "train"), (1, 0, 0.2, "train"), (2, 2, 0.3, "test")), "train", pool)
    assert pairs.features[pairs.left].tolist() == [[3.0], [2.0]]
    assert pairs.features[pairs.right].tolist() == [[0.0], [3.0]]
    assert pairs.target.tolist() == [0.1, 0.2]


def test_only_features_used_by_the_split_are_selected():
    pool = pool_of(np.arange(4.0).reshape(4, 1))
    pairs = pair_set(table((3, 0, 0.1, "train"), (1, 2, 0.3, "test")), "train", pool)
    assert pairs.features.tolist() == [[0.0], [3.0]]


def test_a_split_without_pairs_has_no_features():
    pairs = pair_set(table((3, 0, 0.1, "train")), "validation", pool_of(np.ones((4, 7), np.float32)))
    assert (pairs.features.shape, len(pairs.left), len(pairs.target)) == ((0, 7), 0, 0)


def test_pair_table_without_psnr():
    made = table((0, 1, 0.1, "train"))
    assert list(made.columns) == COLUMNS
    assert made[["psnr_1", "psnr_2"]].isna().all(axis=None)


def test_rows_of_a_concat_array_are_read_in_any_order():
    whole = np.random.default_rng(0).integers(0, 256, (9, 2, 3), dtype=np.uint8)
    rows = np.array([8, 0, 4, 4, 3, 7])
    np.testing.assert_array_equal(ConcatArray([whole[:4], whole[4:5], whole[5:]])[rows], whole[rows])
    assert len(ConcatArray([whole[:4], whole[4:]])) == 9


def test_held_out_share_is_exact_and_depends_on_the_seed():
    one, same, other = (held_out_mask(50, 0.2, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.sum() == 10
    assert (one == same).all()
    assert (one != other).any()


def test_sizes_of_the_split_by_pair():
    split = split_by_pair(1000, 0.1, np.random.default_rng(0))
    assert {name: int((split == name).sum()) for name in ("train", "validation", "test")} == {
        "train": 720,
        "validation": 80,
        "test": 200,
    }


@pytest.mark.parametrize("count", [1, 4, 60])
def test_too_few_validation_pairs_become_train_pairs(count):
    assert "validation" not in split_by_pair(count, 0.1, np.random.default_rng(0))
