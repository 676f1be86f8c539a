"""Device of training and extraction, and the number of devices of a training."""

from typing import TYPE_CHECKING

import torch

from byol_kedro.errors import UserError

if TYPE_CHECKING:
    from byol_kedro.parameters import Pretrain


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


def resolve_devices(devices: str, device: torch.device, parameters: "Pretrain") -> int:
    """The number of devices of a training on `device`, each of which gets a part of every batch.

    Args:
        devices: the number, or `auto`: all GPUs of the machine, or fewer if they do not divide the batch; one if
            `device` is a certain GPU, or no GPU. A CPU counts as a device for each process on it.
        device: what `resolve_device` returned.
        parameters: of the training.

    Raises:
        UserError: there are fewer GPUs, the batch cannot be divided by the number, or a certain GPU or MPS is asked
            for together with several devices, or several devices together with `compile`.
    """
    batch_size = parameters.batch_size
    on_all_gpus = device.type == "cuda" and device.index is None
    available = torch.cuda.device_count() if on_all_gpus else 1
    if devices == "auto":
        return 1 if parameters.compile else max(n for n in range(1, available + 1) if batch_size % n == 0)
    number = int(devices)
    if number > 1 and device.type != "cpu" and not on_all_gpus:
        raise UserError(
            f"devices: found {number} together with device={device}, which is one device; use devices=1 or device=auto"
        )
    if device.type == "cuda" and number > available:
        raise UserError(
            f"devices: {number} are not available, PyTorch finds {available} GPUs on this machine; use devices=auto or "
            f"devices={available}"
        )
    if number > 1 and parameters.compile:
        raise UserError(
            f"pretrain.compile: true is for one device, found devices={number}; set one of them to its default"
        )
    if batch_size % number:
        below, above = batch_size // number * number, -(-batch_size // number) * number
        sizes = " or ".join(str(size) for size in (below, above) if size >= 2)
        raise UserError(
            f"devices: a batch of {batch_size} images cannot be divided evenly among {number} devices; use another "
            f"number of devices, or pretrain.batch_size={sizes}"
        )
    return number
