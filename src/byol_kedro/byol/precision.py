"""The precision of the passes of a training: which one, and whether the processor computes it correctly."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

# As torch names them: AMX and AVX512-BF16 of x86 processors, FEAT_BF16 of Arm processors.
BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")


def autocast_dtype(precision: str) -> torch.dtype | None:
    """The dtype for autocast: None for `float32`, else `torch.bfloat16` or `torch.float16`."""
    return {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]


def resolve_precision(
    precision: str, encoder: nn.Module, view_size: int, device: torch.device | None = None
) -> tuple[str, str]:
    """The precision in which BYOL trains an encoder.

    The choice depends on the device, the network and the size of the views alone, so that it is the same in each run
    on the same machine.

    Args:
        precision: `float32`, `bfloat16`, `float16`, or `auto`: bfloat16 if the device computes in it, else float32.
        encoder: (N, 3, H, W) → features.
        view_size: side of the views in pixels.
        device: where it is trained; None: on the device that holds it.

    Returns:
        `float32`, `bfloat16` or `float16`, and the reason if it is not the one that was asked for.
    """
    device = device or next(encoder.parameters()).device
    supported = computes_in_bfloat16(device)
    chosen = ("bfloat16" if supported else "float32") if precision == "auto" else precision
    if chosen == "bfloat16" and device.type == "cpu":
        name = _wrong_in_bfloat16(encoder, view_size)
        if name:
            reason = f"bfloat16 gradients of {name} are wrong on a CPU for views of {view_size} × {view_size} pixels"
            return "float32", reason
    return chosen, ""


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, which make its passes faster than those in float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capabilities = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch lack it
        return any(cast(Mapping[str, Any], capabilities()).get(name) for name in BFLOAT16_INSTRUCTIONS)
    return False


def _wrong_in_bfloat16(encoder: nn.Module, view_size: int) -> str:
    """The name of the first convolution with a wrong bfloat16 gradient on a CPU, or an empty string.

    If an image is smaller than the stride or the padding of a convolution, some weights see only padding, and oneDNN
    leaves their gradient as it found the memory (torch 2.14.1). Measured for kernels of 3, 5 and 7 and strides of 1, 2
    and 4.
    """
    found: list[str] = []

    def check(name: str, module: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
        padding = (0, 0) if isinstance(module.padding, str) else module.padding
        sides = zip(inputs[0].shape[-2:], module.kernel_size, module.stride, padding, strict=True)
        if any(kernel > 1 and side < max(stride, pad) for side, kernel, stride, pad in sides):
            found.append(name)

    hooks = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: check(name, module, inputs))
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    training = encoder.training
    try:
        with torch.inference_mode():
            encoder.eval()(torch.zeros(1, 3, view_size, view_size))
    finally:
        encoder.train(training)
        for hook in hooks:
            hook.remove()
    return found[0] if found else ""
