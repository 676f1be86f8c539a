"""Gaussian blur with another standard deviation for each image."""

import torch
from torch import Tensor
from torch.nn import functional as F

# oneDNN's fast depthwise convolution needs a multiple of 16 channels: a pass over an image of 96 px takes 16 µs with
# 16 channels and 140 µs with 8.
MULTIPLE = 16


def kernel_size(size: int) -> int:
    """An odd number, about a tenth of the side: 23 at 224 pixels, 9 at 96, 3 at 32."""
    return 2 * (size // 20) + 1


def gaussian(sigma: Tensor, taps: int) -> Tensor:
    """(N,) standard deviations in pixels → (N, taps) float32 weights that sum to one."""
    distance = torch.arange(taps, device=sigma.device, dtype=sigma.dtype) - taps // 2
    return torch.softmax(-0.5 * (distance / sigma.unsqueeze(1)).square(), dim=1)


def blur_(x: Tensor, sigma: Tensor) -> None:
    """Blur in place: x (N, 3, S, S) float32, sigma (N,) float32 in pixels. Borders are reflected as in torchvision."""
    n, _, size, _ = x.shape
    taps = kernel_size(size)
    padding = -n % MULTIPLE  # images
    kernel = F.pad(gaussian(sigma, taps), [0, 0, 0, padding]).repeat_interleave(3, dim=0)
    padded = F.pad(x, [taps // 2] * 4, mode="reflect")
    padded = F.pad(padded, [0] * 7 + [padding]) if padding else padded
    planes = padded.view(1, len(kernel), size + taps - 1, size + taps - 1)
    planes = F.conv2d(planes, kernel.view(-1, 1, 1, taps), groups=len(kernel))
    planes = F.conv2d(planes, kernel.view(-1, 1, taps, 1), groups=len(kernel))
    torch.clamp(planes.view(-1, 3, size, size)[:n], max=1, out=x)  # the weights sum to one only up to rounding
