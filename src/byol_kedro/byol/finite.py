"""Refuses what is no number: NaN and infinity in weights, losses and features, and features too large to reckon with.

A network with NaN in a weight gives equal features for all images, without an error; NaN in features ends in a
classifier, a decomposition or a table, far from where it came from. So weights are looked at where they are read, and
features where they are made and where they enter: what comes after may rely on it.
"""

import mmap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError

if TYPE_CHECKING:
    import torch  # takes seconds to import, and a stage without networks has features, too

# Of a feature: float32 ends at 3e38, and holds the sum of a hundred million squares of this.
LARGEST = 1e15
ANY_FINITE = float(np.finfo(np.float32).max)  # of features that nothing here reckons with
WEIGHT_TYPES = {f"torch.{name}" for name in ("float16", "bfloat16", "float32", "float64")}
ROWS = 4096  # that are looked at together


class NotFiniteError(UserError):
    """`found` is what is no number, and whose; the message goes on with what to do."""

    def __init__(self, found: str, instead: str) -> None:
        super().__init__(f"{found}; {instead}")
        self.found = found


def check_finite(arrays: Mapping[str, Any], whose: str, instead: str) -> None:
    """NotFiniteError where an array or tensor holds NaN or infinity: `whose` they are, what to do `instead`."""
    for name, array in arrays.items():
        finite: torch.Tensor | npt.NDArray[np.bool_] = (
            np.isfinite(array) if isinstance(array, np.ndarray) else array.isfinite()
        )
        if not finite.all():
            odd = int(finite.size if isinstance(finite, np.ndarray) else finite.numel()) - int(finite.sum())
            raise NotFiniteError(f"{whose} {name} holds NaN or infinity ({odd} numbers)", instead)


def float32_weights(name: str, value: Any, fault: str, instead: str) -> "torch.Tensor":
    """A tensor of a file of weights as float32.

    Raises:
        UserError: `fault`, what it is, `instead`: not a dense floating-point tensor, not finite in float32, or a
            variance below zero.
    """
    import torch  # noqa: PLC0415  # takes seconds to import, and a stage without networks needs none of this

    dense = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta
    if not dense or str(value.dtype) not in WEIGHT_TYPES:
        kind = f"{value.layout}, {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise UserError(f"{fault}: {name} is {kind}, a dense floating-point tensor expected; {instead}")
    weights: torch.Tensor = value.detach().to(torch.float32)
    check_finite({name: weights}, f"{fault}:", instead)
    if name.endswith("running_var") and bool((weights < 0).any()):
        raise UserError(f"{fault}: {name} is a variance and has numbers below zero; {instead}")
    return weights


def check_features(features: npt.NDArray[Any], whose: str, instead: str, largest: float = LARGEST) -> None:
    """NotFiniteError where features (N, D) hold NaN, infinity or a number beyond `largest`.

    `whose` says which they are, in front of how many rows; `instead` what to do. A memory map is read in pieces.
    """
    odd = sum(_odd_rows(features[start : start + ROWS], largest) for start in range(0, len(features), ROWS))
    if isinstance(features.base, mmap.mmap):
        # What was read of the map would go on counting as this process's memory.
        features.base.madvise(mmap.MADV_DONTNEED)
    if odd:
        finite = all(np.isfinite(features[start : start + ROWS]).all() for start in range(0, len(features), ROWS))
        numbers = f"numbers beyond {largest:g}" if finite else "NaN or infinity"
        raise NotFiniteError(f"{whose}: {odd:,} of {len(features):,} rows hold {numbers}", instead)


def _odd_rows(rows: npt.NDArray[Any], largest: float) -> int:
    # The extremes need no memory; of NaN they are NaN, which is not within any bounds.
    if rows.size == 0 or (rows.min() >= -largest and rows.max() <= largest):
        return 0
    return int((~(np.abs(rows) <= largest)).any(axis=1).sum())
