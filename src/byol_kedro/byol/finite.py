"""Checks for NaN, infinity and extreme values in weights and features.

A network with NaN in a weight gives the same features for all images, without an error, and NaN in features shows up
in a classifier, a decomposition or a table, far from its cause. So weights are checked when they are read, and features
when they are computed or read. All other code relies on that.
"""

import mmap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byol_kedro.errors import UserError

if TYPE_CHECKING:
    import torch  # takes seconds to import, and stages without networks use this module, too

# Of a feature: the sum of a hundred million squares of it is still a float32, of at most 3e38.
MAX_FEATURE = 1e15
FLOAT32_MAX = float(np.finfo(np.float32).max)  # for features that are not used in further computations
WEIGHT_TYPES = {f"torch.{name}" for name in ("float16", "bfloat16", "float32", "float64")}
ROWS = 4096  # per chunk


class NotFiniteError(UserError):
    """Values are not finite or too large. `found` says which ones; the message also has the advice."""

    def __init__(self, found: str, advice: str) -> None:
        """Create the error: which values are not finite, and what the user can do."""
        super().__init__(f"{found}; {advice}")
        self.found = found


def check_finite(arrays: Mapping[str, Any], owner: str, advice: str) -> None:
    """Check arrays or tensors for NaN and infinity.

    Args:
        arrays: arrays or tensors by name.
        owner: what they belong to; comes before the name of the array in the message.
        advice: what to do; the end of the message.

    Raises:
        NotFiniteError: an array has NaN or infinity.
    """
    for name, array in arrays.items():
        finite: torch.Tensor | npt.NDArray[np.bool_] = (
            np.isfinite(array) if isinstance(array, np.ndarray) else array.isfinite()
        )
        if not finite.all():
            count = int(finite.size if isinstance(finite, np.ndarray) else finite.numel()) - int(finite.sum())
            raise NotFiniteError(f"{owner} {name} holds NaN or infinity ({count} numbers)", advice)


def float32_weights(name: str, value: Any, problem: str, advice: str) -> "torch.Tensor":
    """A tensor of a file of weights as float32.

    Args:
        name: name of the tensor in messages.
        value: the tensor.
        problem: start of the message of an error.
        advice: end of the message of an error.

    Raises:
        UserError: the value is not a dense floating-point tensor, not finite in float32, or a negative variance.
    """
    import torch  # noqa: PLC0415  # takes seconds to import, and stages without networks use this module, too

    dense = isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta
    if not dense or str(value.dtype) not in WEIGHT_TYPES:
        kind = f"{value.layout}, {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise UserError(f"{problem}: {name} is {kind}, expected a dense floating-point tensor; {advice}")
    weights: torch.Tensor = value.detach().to(torch.float32)
    check_finite({name: weights}, f"{problem}:", advice)
    if name.endswith("running_var") and bool((weights < 0).any()):
        raise UserError(f"{problem}: {name} is a variance and has negative numbers; {advice}")
    return weights


def check_features(features: npt.NDArray[Any], name: str, advice: str, max_value: float = MAX_FEATURE) -> None:
    """Check features for NaN, infinity and extreme values. A memory map is read in chunks.

    Args:
        features: (N, D).
        name: what the features are; the start of the message.
        advice: what to do; the end of the message.
        max_value: largest allowed absolute value.

    Raises:
        NotFiniteError: A feature is NaN, infinite or beyond `max_value`.
    """
    count = sum(_bad_rows(features[start : start + ROWS], max_value) for start in range(0, len(features), ROWS))
    if isinstance(features.base, mmap.mmap):
        # Otherwise the pages that were read would still count as memory of this process.
        features.base.madvise(mmap.MADV_DONTNEED)
    if count:
        finite = all(np.isfinite(features[start : start + ROWS]).all() for start in range(0, len(features), ROWS))
        numbers = f"numbers beyond {max_value:g}" if finite else "NaN or infinity"
        raise NotFiniteError(f"{name}: {count:,} of {len(features):,} rows hold {numbers}", advice)


def _bad_rows(rows: npt.NDArray[Any], max_value: float) -> int:
    # Minimum and maximum need no memory. They are NaN if there is a NaN, and NaN fails the comparison.
    if rows.size == 0 or (rows.min() >= -max_value and rows.max() <= max_value):
        return 0
    return int((~(np.abs(rows) <= max_value)).any(axis=1).sum())
