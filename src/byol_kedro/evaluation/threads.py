"""One processor for arithmetic that is too small to be shared out, or whose sums have no order of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from byol_kedro.evaluation.blas import one_blas_thread


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch, scikit-learn and the BLAS of numpy and scipy use one thread inside.

    Afterwards torch and scikit-learn have again what they had, BLAS stays at one. Other threads of the process are not
    affected: OpenMP has a number for each thread that calls it. (`torch.set_num_threads` would also change the number
    of every thread that first uses torch from then on.)

    Steps of microseconds gain nothing from a second thread, and where other work shares the processors each of
    them waits for a thread that is not running: measured, some twenty times slower.
    """
    one_blas_thread()
    torch.get_num_threads()  # the first use of torch in a thread sets its number, which must not happen inside
    with threadpool_limits(limits=1, user_api="openmp"):
        yield
