"""Refuses NaN and infinity in weights: a network that has one gives equal features for all images, without an error."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from byol_kedro.errors import UserError


def check_finite(arrays: Mapping[str, Any], whose: str, instead: str) -> None:
    """UserError where an array or tensor holds NaN or infinity: `whose` arrays they are, what to do `instead`."""
    for name, array in arrays.items():
        finite = torch.isfinite(array) if isinstance(array, torch.Tensor) else np.isfinite(array)
        if not finite.all():
            odd = int(finite.size if isinstance(finite, np.ndarray) else finite.numel()) - int(finite.sum())
            raise UserError(f"{whose} {name} holds NaN or infinity ({odd} numbers); {instead}")
