"""Random streams that one seed gives, one for each purpose, so that none shifts when another draws more."""

import numpy as np

HEADS, ORDER, AUGMENTATION, ALIGNMENT = 1, 2, 3, 4


def stream_seed(seed: int, *path: int) -> int:
    """Seed of the stream `path` below `seed`: a non-negative integer that fits in 63 bits.

    Streams of different paths are independent (numpy's SeedSequence); so are those of neighbouring seeds.
    """
    return int(np.random.SeedSequence((seed, *path)).generate_state(1, np.uint64)[0] >> 1)
