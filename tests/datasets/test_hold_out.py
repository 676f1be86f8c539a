import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byol_kedro.datasets.sources.hold_out import END, digest_file, held_out

CLASSES = hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(-1, 3))


def digests_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@given(labels=CLASSES, fraction=st.floats(0.01, 0.99))
def test_each_class_gives_its_part_and_keeps_some(labels, fraction):
    chosen = held_out(digests_of(len(labels)), labels, fraction)
    for label in np.unique(labels):
        there, given_up = (labels == label).sum(), chosen[labels == label].sum()
        assert given_up == min(max(1, round(fraction * there)), there - 1)


@given(labels=CLASSES, order=st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_does_not_matter(labels, order):
    digests, positions = digests_of(len(labels)), list(range(len(labels)))
    order.shuffle(positions)
    one, two = held_out(digests, labels, 0.3), held_out(digests[positions], labels[positions], 0.3)
    np.testing.assert_array_equal(one[positions], two)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_equal_pictures_of_a_class_are_on_one_side(numbers):
    chosen = held_out(np.array(numbers, np.uint64), np.zeros(len(numbers), np.int64), 0.4)
    assert all(len({bool(c) for c, n in zip(chosen, numbers, strict=True) if n == number}) == 1 for number in numbers)


def test_a_picture_that_is_added_moves_at_most_one_other():
    digests, labels = digests_of(101), np.zeros(101, np.int64)
    before, after = held_out(digests[:100], labels[:100], 0.25), held_out(digests, labels, 0.25)
    assert (before != after[:100]).sum() <= 1


def test_files_are_told_apart_by_both_ends_and_their_length(tmp_path):
    contents = [b"a" * 10, b"a" * 11, b"b" + b"a" * 9, b"a" * 9 + b"b", b"a" * (3 * END), b"a" * (3 * END - 1) + b"b"]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    digests = {digest_file(tmp_path / str(number)) for number in range(len(contents))}
    assert len(digests) == len(contents)


def test_a_name_is_nothing_to_a_digest(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"the same")
    assert digest_file(tmp_path / "a") == digest_file(tmp_path / "b")


def test_a_file_that_is_not_there_is_on_some_side(tmp_path):
    assert digest_file(tmp_path / "nothing") == 0
