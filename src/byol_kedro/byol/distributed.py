"""The processes of one training, which together compute what one process computes.

The batch is that of the whole training: each process draws the same order and the same augmentation for all of it,
and computes a part. What is taken over the batch is taken over all parts: the mean of the gradients, the statistics of
BatchNorm, the metrics. All processes have the same weights after each step.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.snapshot import restore_snapshot, take_snapshot
from byol_kedro.byol.state import TrainState
from byol_kedro.byol.sync_batchnorm import SyncBatchNorms

Bytes = npt.NDArray[np.uint8]
MAIN = 0  # the rank that writes checkpoints, evaluates, and shows the progress


@dataclass(frozen=True)
class Group:
    """`size` processes, of which this is number `rank`. A group of one needs no process group of torch.

    Each method but `rows` has to be called by all processes; on one it changes nothing.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process does what is done once."""
        return self.rank == MAIN

    def rows(self, count: int) -> slice:
        """The part of this process in a batch of `count` images, which `size` divides."""
        assert count % self.size == 0, f"{count} images for {self.size} processes"
        part = count // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def gathered(self, part: Tensor) -> Tensor:
        """The tensors (n, ...) of all processes in the order of their ranks, (size · n, ...), without gradient."""
        if self.size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.size)]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum of `tensor` over all processes, which replaces it."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each float32 tensor by its mean over all processes, in one message."""
        if self.size == 1:
            return
        flat = self.summed(torch.cat([tensor.reshape(-1) for tensor in tensors])).div_(self.size)
        for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def largest(self, number: int) -> int:
        """The largest of the numbers of all processes. Waits for the other processes, but not for a device."""
        if self.size == 1:
            return number
        largest = torch.tensor([number])
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        return int(largest)

    def synchronize_norms(self, network: nn.Module) -> None:
        """Prepare the BatchNorm modules of a network on CUDA for `synchronized_norms`, in place.

        Weights keep their names, and an optimizer its parameters.
        """
        if self.size > 1 and next(network.parameters()).device.type == "cuda":
            from timm.layers.norm_act import convert_sync_batchnorm  # noqa: PLC0415  # timm takes seconds to import

            # torch's own function drops the activation of timm's BatchNormAct2d.
            convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # timm leaves it untyped

    def synchronized_norms(self, device: torch.device) -> AbstractContextManager[object]:
        """A block in which BatchNorm in training mode has the statistics of the whole batch."""
        if self.size == 1 or device.type == "cuda":
            return nullcontext()
        return SyncBatchNorms(self.gathered, self.summed)

    def copy_main(self, state: TrainState, monitor: Monitor) -> None:
        """Give all processes the state and the history of the main one, bit for bit."""
        if self.size == 1:
            return
        arrays, header = take_snapshot(state, monitor)
        names = {name: (array.dtype.str, array.shape) for name, array in arrays.items()}
        text = self._copied(np.frombuffer(json.dumps([header, names]).encode(), np.uint8))
        header, names = json.loads(text.tobytes())
        received = {}
        for name, (dtype, shape) in names.items():
            own = arrays[name] if self.is_main else np.empty(shape, dtype)
            received[name] = self._bytes_of_main(own.reshape(-1).view(np.uint8)).view(dtype).reshape(shape)
        if not self.is_main:
            restore_snapshot(received, header, state, monitor)

    def _copied(self, content: Bytes) -> Bytes:
        """The bytes of the main process, whose number the others do not know."""
        length = torch.tensor([len(content)])
        dist.broadcast(length, MAIN)
        return self._bytes_of_main(content if self.is_main else np.empty(int(length), np.uint8))

    def _bytes_of_main(self, content: Bytes) -> Bytes:
        buffer = torch.from_numpy(np.array(content))
        if buffer.numel():
            dist.broadcast(buffer, MAIN)
        return buffer.numpy()


ALONE = Group()
