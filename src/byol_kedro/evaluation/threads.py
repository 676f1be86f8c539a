"""Single-threaded execution of small or order-dependent arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from byol_kedro.evaluation.blas import one_blas_thread


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch, scikit-learn and the BLAS of NumPy and SciPy with one thread; a context manager or decorator.

    On exit, torch and scikit-learn get their number of threads back; BLAS stays at one. Other threads of the process
    are not affected, since OpenMP has a number for each thread that calls it. (`torch.set_num_threads` would also
    change the number of every thread that first uses torch later on.)

    Steps of microseconds gain nothing from a second thread. If other work shares the processors, each of them waits for
    a thread that is not running; measured, this is about twenty times slower.
    """
    one_blas_thread()
    torch.get_num_threads()  # the first use of torch in a thread sets its number, which must not happen inside
    with threadpool_limits(limits=1, user_api="openmp"):
        yield
