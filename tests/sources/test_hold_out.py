import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byol_kedro.errors import UserError
from byol_kedro.sources.hold_out import HASHED_BYTES as N
from byol_kedro.sources.hold_out import HoldOut, digest_file, held_out
from byol_kedro.sources.walk import File

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
def test_the_order_of_the_images_does_not_matter(labels, order):
    digests, positions = digests_of(len(labels)), list(range(len(labels)))
    order.shuffle(positions)
    one, two = held_out(digests, labels, 0.3), held_out(digests[positions], labels[positions], 0.3)
    np.testing.assert_array_equal(one[positions], two)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_equal_images_of_a_class_are_on_one_side(numbers):
    chosen = held_out(np.array(numbers, np.uint64), np.zeros(len(numbers), np.int64), 0.4)
    assert all(len({bool(c) for c, n in zip(chosen, numbers, strict=True) if n == number}) == 1 for number in numbers)


def test_a_image_that_is_added_moves_at_most_one_other():
    digests, labels = digests_of(101), np.zeros(101, np.int64)
    before, after = held_out(digests[:100], labels[:100], 0.25), held_out(digests, labels, 0.25)
    assert (before != after[:100]).sum() <= 1


def test_files_are_told_apart_by_both_ends_and_their_length(tmp_path):
    contents = [
        b"a" * 10,
        b"a" * 11,
        b"b" + b"a" * 9,
        b"a" * 9 + b"b",
        b"a" * (3 * N),
        b"a" * (3 * N - 1) + b"b",
    ]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    digests = {digest_file(tmp_path / str(number)) for number in range(len(contents))}
    assert len(digests) == len(contents)


def test_a_name_is_nothing_to_a_digest(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"the same")
    assert digest_file(tmp_path / "a") == digest_file(tmp_path / "b")


def files_in(folder, count=8):
    for number in range(count):
        (folder / str(number)).write_bytes(bytes([number]))
    return [File(str(number), "") for number in range(count)]


def division(folder, files, unreadable=None):
    return HoldOut(folder, files, np.zeros(len(files), np.int64), 0.25, {} if unreadable is None else unreadable)


def test_a_file_that_cannot_be_read_is_not_held_out_and_has_no_say(tmp_path):
    files = files_in(tmp_path)
    for gone in map(str, range(8)):
        (tmp_path / gone).rename(tmp_path / "aside")
        unreadable = {}
        one = division(tmp_path, files, unreadable)
        others = [file for file in files if file.name != gone]
        held_out = {file.name for file, chosen in zip(files, one.is_test, strict=True) if chosen}
        same = division(tmp_path, others).is_test
        assert held_out == {file.name for file, chosen in zip(others, same, strict=True) if chosen}
        assert unreadable == one.undecided == {gone: "No such file or directory"}
        (tmp_path / "aside").rename(tmp_path / gone)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x")
    assert division(tmp_path, [File("x", "")]).undecided == {"x": "not a regular file"}


def test_a_division_agrees_with_one_that_could_read_the_same_files(tmp_path):
    files = files_in(tmp_path)
    reason = {"3": "No such file or directory"}
    assert division(tmp_path, files).is_unchanged({})
    assert not division(tmp_path, files).is_unchanged(reason)
    (tmp_path / "3").unlink()
    for decided in (False, True):
        now = division(tmp_path, files)
        assert not decided or now.is_test.any()
        assert not now.is_unchanged({"3": "Permission denied"})
        assert now.is_unchanged(reason)
        assert not now.is_unchanged({})


def test_two_halves_that_were_divided_differently_are_refused(tmp_path):
    """Of the one half it has been said that it is as before; the other would now be decided with a file less."""
    files = files_in(tmp_path)
    now = division(tmp_path, files)
    assert now.is_unchanged({})
    (tmp_path / "3").unlink()
    with pytest.raises(UserError, match="run ingest again"):
        _ = now.is_test
