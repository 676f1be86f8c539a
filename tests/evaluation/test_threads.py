"""One thread inside, as many as before outside."""

import pytest
import torch
from threadpoolctl import threadpool_info

from byol_kedro.evaluation.threads import one_thread


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
