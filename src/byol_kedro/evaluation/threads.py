"""One processor for arithmetic that is too small to be shared out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and the BLAS of numpy and scipy use one thread inside; what was set before holds again afterwards.

    Steps of microseconds gain nothing from a second thread, and where other work shares the processors each of
    them waits for a thread that is not running: measured, some twenty times slower.
    """
    before = torch.get_num_threads()
    with threadpool_limits(limits=1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
