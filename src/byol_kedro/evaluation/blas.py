"""Number of threads of the BLAS of NumPy and SciPy, which is global to the process."""

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types


def one_blas_thread() -> None:
    """Set the BLAS of NumPy and SciPy to one thread for the rest of the process, whichever thread calls it.

    The results of BLAS depend on the number of threads in their last bits. The number is not restored, because changing
    it for a while would change the results of other nodes and runs that compute at the same time in this process.
    Measured on two processors, a PCA of 1,500 × 27,648 takes 3.6 s with one thread, 4.1 s with two, and 8.6 s with two
    if other work shares the processors.
    """
    threadpool_limits(limits=1, user_api="blas")
