"""What can never fit into the memory of this machine."""

import os
from contextlib import suppress

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import size_text

TRAINED_COPIES = 4  # of each weight during a training with Adam: itself, its gradient and two averages


def check_memory(name: str, weights: int) -> None:
    """Check that a float32 network can be trained on the CPU with Adam.

    Args:
        name: the parameter that determines its size.
        weights: number of weights.

    Raises:
        UserError: its weights, gradients and averages alone take more than the whole memory.
    """
    needed = 4 * TRAINED_COPIES * weights
    with suppress(AttributeError, ValueError):  # Windows and some other systems do not tell
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > memory:
            raise UserError(
                f"{name}: {weights:,} weights need {size_text(needed)} of memory in training, this machine has "
                f"{size_text(memory)}; choose a smaller value"
            )
