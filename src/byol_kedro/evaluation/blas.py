"""The number of threads of the BLAS of numpy and scipy: there is one number for the whole process."""

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types


def one_blas_thread() -> None:
    """From now on the BLAS of numpy and scipy uses one thread, whichever thread calls it.

    Its sums come out otherwise with another number of threads, so what changed the number for a while would change the
    results of all that computes beside it: of other nodes, and of other runs in this process. It is not set back for
    that reason. Measured on two processors, a PCA of 1,500 × 27,648 takes 3.6 s with one thread, 4.1 s with two, and
    8.6 s with two where other work shares the processors.
    """
    threadpool_limits(limits=1, user_api="blas")
