"""The device that training and extraction run on, and the precision that it computes in."""

import torch

from byol_kedro.errors import UserError


def resolve_device(name: str) -> torch.device:
    """The device called `name`: `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    `auto` is the GPU where there is one (CUDA before MPS), else the CPU.

    Raises:
        UserError: there is no such name, or a GPU is asked for that this machine does not have.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise UserError(f"device: found {name!r}; expected auto, cpu, mps, cuda or cuda:N") from None
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device: mps is asked for, PyTorch finds none here; use device=auto or device=cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(
            f"device: {name} is asked for, PyTorch finds {torch.cuda.device_count()} CUDA devices here; "
            "use device=auto or device=cpu"
        )
    return device


def autocast_dtype(device: torch.device, precision: str) -> torch.dtype | None:
    """What the networks' passes run in: `torch.bfloat16`, `torch.float16`, or None for plain float32.

    `precision` is `float32`, `bfloat16`, `float16`, or `auto`: bfloat16 on a CUDA device that computes in it.
    """
    if precision == "auto":
        able = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        precision = "bfloat16" if able else "float32"
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
