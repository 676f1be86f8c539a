"""Batches that are made ready and copied to a CUDA device while it computes."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

DEPTH = 2  # chosen: one batch is being made while another one waits

Copying = tuple[Tensor, torch.cuda.Event]
Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], depth: int = DEPTH) -> Generator[Result, None, None]:
    """`map(work, items)`, worked out in one background thread that is up to `depth` results ahead.

    What `work` raises is raised where its result was due. The thread ends with the generator: at its end, on an error
    and when it is closed. `items` is walked in the thread of the caller.
    """
    rest = iter(items)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pictures")
    try:
        waiting = deque(thread.submit(work, item) for item in islice(rest, depth))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(thread.submit(work, item) for item in islice(rest, 1))
            yield result
    finally:
        thread.shutdown(cancel_futures=True)


class CudaCopy:
    """Copies to a CUDA device on a stream of its own, so that the computing stream does not stand still for them."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def start(self, make: Callable[[], Tensor]) -> Copying:
        """Makes a batch on the CPU and begins to copy it; returns at once, in whichever thread it is called."""
        with torch.cuda.stream(self._stream):
            # PyTorch keeps the pinned block until the copy out of it is done, though no name holds it any more.
            copy = make().pin_memory().to(self._stream.device, non_blocking=True)
            return copy, self._stream.record_event()

    def wait(self, copying: Copying) -> Tensor:
        """The batch; what the calling thread asks of the device from now on comes after the copy."""
        copy, done = copying
        computing = torch.cuda.current_stream(copy.device)
        computing.wait_event(done)
        # Its memory belongs to the copying stream, which would reuse it while the other one still reads.
        copy.record_stream(computing)
        return copy
