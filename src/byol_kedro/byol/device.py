"""Device of training and extraction."""

import torch

from byol_kedro.errors import UserError


def resolve_device(name: str) -> torch.device:
    """The device `name`: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    `auto` is CUDA if available, then MPS, then the CPU.

    Raises:
        UserError: the name is invalid, or the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise UserError(f"device: found {name!r}; expected auto, cpu, mps, cuda or cuda:N") from None
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device: mps is not available on this machine; use device=auto or device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device: {name} is not available, PyTorch finds {torch.cuda.device_count()} CUDA devices on this machine; "
            "use device=auto or device=cpu"
        )
    return device
