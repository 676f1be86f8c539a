"""one_thread: one thread inside, no effect outside or on other threads."""

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
def test_libraries_use_one_thread_inside():
    with one_thread():
        assert most_threads() == 1


@pytest.mark.usefixtures("two_threads")
def test_torch_threads_are_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018  # the error is the point
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_threads_started_meanwhile_are_not_affected():
    with one_thread(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2


@pytest.mark.usefixtures("two_threads")
def test_torch_threads_are_restored_on_first_use():
    def inside_and_after():
        with one_thread():
            inside = torch.get_num_threads()
        return inside, torch.get_num_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside_and_after).result() == (1, 2)


def test_numpy_sums_do_not_depend_on_other_threads():
    matrix = np.random.default_rng(0).standard_normal((700, 1500))
    with one_thread():
        expected = matrix @ matrix.T
    assert np.array_equal(matrix @ matrix.T, expected)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(one_thread().__call__(lambda: None)).result()
    assert np.array_equal(matrix @ matrix.T, expected)


def test_k_means_does_not_depend_on_the_number_of_threads():
    points = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    with threadpool_limits(4):
        found = [_kmeans(points, 10, seed=0).cluster_centers_.tobytes() for _ in range(6)]
    assert len(set(found)) == 1
