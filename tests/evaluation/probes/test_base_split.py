"""The part of train on which something is chosen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.evaluation.probes.base import stratified_split

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(lambda y: np.array(y, np.int64))


@given(LABELS, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_every_class_can_be_learned(y, fraction, seed):
    fit, _ = stratified_split(y, fraction, seed)
    assert set(y[fit]) == set(y)


@given(LABELS, st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_every_image_is_in_one_part(y, fraction, seed):
    fit, choose = stratified_split(y, fraction, seed)
    if len(np.unique(y)) < len(y):
        np.testing.assert_array_equal(np.sort(np.concatenate([fit, choose])), np.arange(len(y)))


def test_each_class_gives_the_same_fraction():
    y = np.repeat([0, 1, 2], [100, 50, 10])
    _, choose = stratified_split(y, 0.2, 0)
    np.testing.assert_array_equal(np.bincount(y[choose]), [20, 10, 2])


def test_classes_of_single_images_are_chosen_on_themselves():
    fit, choose = stratified_split(np.arange(3), 0.2, 0)
    assert list(fit) == list(choose) == [0, 1, 2]


def test_another_seed_holds_out_others():
    y = np.zeros(100, np.int64)
    assert set(stratified_split(y, 0.2, 0)[1]) != set(stratified_split(y, 0.2, 1)[1])
