"""The stratified split into a part to fit on and a validation part."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.evaluation.probes.base import stratified_split

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda y: np.array(y, np.int64))


@given(LABELS, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_every_class_is_fitted(y, fraction, seed):
    fit, _ = stratified_split(y, fraction, seed)
    assert set(y[fit]) == set(y)


@given(LABELS, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_parts_are_disjoint_and_complete(y, fraction, seed):
    fit, choose = stratified_split(y, fraction, seed)
    if len(np.unique(y)) < len(y):
        np.testing.assert_array_equal(np.sort(np.concatenate([fit, choose])), np.arange(len(y)))


def test_split_is_stratified():
    y = np.repeat([0, 1, 2], [100, 50, 10])
    _, choose = stratified_split(y, 0.2, 0)
    np.testing.assert_array_equal(np.bincount(y[choose]), [20, 10, 2])


def test_single_images_are_in_both_parts():
    fit, choose = stratified_split(np.arange(3), 0.2, 0)
    assert list(fit) == list(choose) == [0, 1, 2]


def test_seed_selects_the_validation_part():
    y = np.zeros(100, np.int64)
    assert set(stratified_split(y, 0.2, 0)[1]) != set(stratified_split(y, 0.2, 1)[1])
