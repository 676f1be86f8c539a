"""The test images that are held out of train depend only on the images."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byol_kedro.errors import UserError
from byol_kedro.sources.hold_out import HASHED_BYTES as N
from byol_kedro.sources.hold_out import HoldOut, digest_content, digest_file, held_out
from byol_kedro.sources.walk import File

CLASSES = hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(-1, 3))


def digests_of(count, seed=0):
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@given(labels=CLASSES, fraction=st.floats(0.01, 0.99))
def test_part_of_each_class_is_held_out(labels, fraction):
    chosen = held_out(digests_of(len(labels)), labels, fraction)
    for label in np.unique(labels):
        there, given_up = (labels == label).sum(), chosen[labels == label].sum()
        assert given_up == min(max(1, round(fraction * there)), there - 1)


@given(labels=CLASSES, order=st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(labels, order):
    digests, positions = digests_of(len(labels)), list(range(len(labels)))
    order.shuffle(positions)
    one, two = held_out(digests, labels, 0.3), held_out(digests[positions], labels[positions], 0.3)
    np.testing.assert_array_equal(one[positions], two)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30))
def test_equal_images_are_in_the_same_split(numbers):
    chosen = held_out(np.array(numbers, np.uint64), np.zeros(len(numbers), np.int64), 0.4)
    assert all(len({bool(c) for c, n in zip(chosen, numbers, strict=True) if n == number}) == 1 for number in numbers)


def test_added_image_moves_at_most_one_other():
    digests, labels = digests_of(101), np.zeros(101, np.int64)
    before, after = held_out(digests[:100], labels[:100], 0.25), held_out(digests, labels, 0.25)
    assert (before != after[:100]).sum() <= 1


def test_digest_covers_both_ends_and_the_size(tmp_path):
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


def test_digest_of_bytes_is_that_of_the_file(tmp_path):
    for length in (0, 1, N - 1, N, N + 1, 2 * N - 1, 2 * N, 2 * N + 1, 3 * N):
        (tmp_path / "a").write_bytes(np.random.default_rng(length).bytes(length))
        assert digest_content((tmp_path / "a").read_bytes()) == digest_content(tmp_path / "a")


def test_digest_does_not_depend_on_the_name(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"the same")
    assert digest_file(tmp_path / "a") == digest_file(tmp_path / "b")


def files_in(folder, count=8):
    for number in range(count):
        (folder / str(number)).write_bytes(bytes([number]))
    return [File(str(number), "") for number in range(count)]


def division(folder, files):
    def digests(some):
        for file in some:
            try:
                yield digest_file(folder / file.name)
            except OSError as error:
                yield error.strerror

    return HoldOut(folder, files, np.zeros(len(files), np.int64), 0.25, digests)


def test_unreadable_file_does_not_influence_the_split(tmp_path):
    files = files_in(tmp_path)
    for gone in map(str, range(8)):
        (tmp_path / gone).rename(tmp_path / "aside")
        one = division(tmp_path, files)
        others = [file for file in files if file.name != gone]
        held_out = {file.name for file, chosen in zip(files, one.is_test, strict=True) if chosen}
        same = division(tmp_path, others).is_test
        assert held_out == {file.name for file, chosen in zip(others, same, strict=True) if chosen}
        assert one.undecided == {gone: "No such file or directory"}
        (tmp_path / "aside").rename(tmp_path / gone)


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "x")
    assert division(tmp_path, [File("x", "")]).undecided == {"x": "not a regular file"}


def test_unchanged_if_the_same_files_are_readable(tmp_path):
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


def test_different_splits_are_refused(tmp_path):
    """One split was declared unchanged; the other would now be decided with one file less."""
    files = files_in(tmp_path)
    now = division(tmp_path, files)
    assert now.is_unchanged({})
    (tmp_path / "3").unlink()
    with pytest.raises(UserError, match="run ingest again"):
        _ = now.is_test
