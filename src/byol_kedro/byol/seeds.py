"""Random streams that one seed gives, one for each purpose, so that none shifts when another draws more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

HEADS, ORDER, AUGMENTATION, ALIGNMENT = 1, 2, 3, 4

NO_GENERATOR = "scaled_dot_product"  # attention, which is random only with dropout, and create_encoder leaves none
# The overload that takes a generator, of operators whose own does not: torch.rand, torch.randint.
WITH_GENERATOR = {"": "generator", "low": "low_generator"}


def stream_seed(seed: int, *path: int) -> int:
    """Seed of the stream `path` below `seed`: a non-negative integer that fits in 63 bits.

    Streams of different paths are independent (numpy's SeedSequence); so are those of neighboring seeds.
    """
    return int(np.random.SeedSequence((seed, *path)).generate_state(1, np.uint64)[0] >> 1)


class OwnGenerator(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Random operators that the calling thread asks for draw from `generator`; `drew` says whether there were any."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.generator, self.drew = generator, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded not in func.tags or NO_GENERATOR in func.name():
            return func(*args, **kwargs)
        self.drew = True
        _, _, overload = func.name().partition(".")  # aten::randint.low
        other = WITH_GENERATOR.get(overload, "")
        if other in func.overloadpacket.overloads():
            func = getattr(func.overloadpacket, other)
        return func(*args, **{**kwargs, "generator": self.generator})


@contextmanager
def seeded(seed: int) -> Iterator[OwnGenerator]:
    """Whatever is drawn on the CPU inside, in this thread, comes from a generator that starts at `seed`.

    The numbers are those of `torch.manual_seed(seed)`, which timm and torch.nn initialize networks from. The global
    generator is neither read nor changed: other threads draw from it at the same time, or begin networks of their own.
    """
    with OwnGenerator(torch.Generator().manual_seed(seed)) as mode:
        yield mode
