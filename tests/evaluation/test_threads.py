"""One thread inside, as many as before outside, and nothing of it seen by the threads beside."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from byol_kedro.evaluation.threads import one_thread
from byol_kedro.pair_model.clusters import _kmeans


def most_threads():
    return max([torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())])


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_no_library_uses_a_second_thread_inside():
    with one_thread():
        assert most_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_torch_has_its_threads_back_after_an_error():
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018  # the error is the point
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_thread_that_begins_meanwhile_has_as_many_threads_as_ever():
    with one_thread(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_thread_whose_first_use_of_torch_is_inside_has_its_threads_back_too():
    def inside_and_after():
        with one_thread():
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside_and_after).result() == (1, 2)


def test_sums_of_numpy_are_the_same_before_and_after_whoever_goes_in_and_out():
    matrix = np.random.default_rng(0).standard_normal((700, 1500))
    with one_thread():
        expected = matrix @ matrix.T
    assert np.array_equal(matrix @ matrix.T, expected)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(one_thread().__call__(lambda: None)).result()
    assert np.array_equal(matrix @ matrix.T, expected)


def test_centers_of_k_means_are_the_same_each_time_with_any_number_of_threads():
    points = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    with threadpool_limits(4):
        found = [_kmeans(points, 10, seed=0).cluster_centers_.tobytes() for _ in range(6)]
    assert len(set(found)) == 1
