"""Independent random streams derived from one seed, one per purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

HEADS, ORDER, AUGMENTATION, ALIGNMENT = 1, 2, 3, 4

NO_GENERATOR = "scaled_dot_product"  # attention is random only with dropout, which create_encoder switches off
# Overloads without a generator (torch.rand, torch.randint), and the one with a generator.
WITH_GENERATOR = {"": "generator", "low": "low_generator"}


def stream_seed(seed: int, *path: int) -> int:
    """The seed of the stream `path` of `seed`: a non-negative integer of at most 63 bits.

    Streams of different paths are independent (numpy's SeedSequence), and so are those of neighboring seeds.
    """
    return int(np.random.SeedSequence((seed, *path)).generate_state(1, np.uint64)[0] >> 1)


class OwnGenerator(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Makes random operators of the calling thread draw from `generator`; `drew` says whether any did."""

    def __init__(self, generator: torch.Generator) -> None:
        """Create the mode; it is active inside its `with` block."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.generator, self.drew = generator, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operator, with the generator if it is random."""
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
    """Random numbers that this thread draws on the CPU inside the block come from a generator with `seed`.

    They are those of `torch.manual_seed(seed)`, from which timm and torch.nn initialize networks. The global generator
    is neither read nor changed, since other threads may use it at the same time.
    """
    with OwnGenerator(torch.Generator().manual_seed(seed)) as mode:
        yield mode
