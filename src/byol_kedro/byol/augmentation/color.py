"""Color operations in place, with another factor for each image.

All follow torchvision's functions for float tensors (adjust_brightness, …): x is (N, 3, H, W) float32 in [0, 1] and
remains in that range; a factor is (N,) float32.
"""

import torch
from torch import Tensor

GRAY = (0.2989, 0.587, 0.114)  # torchvision's weights of red, green, blue: ITU-R 601-2


def gray_plane(x: Tensor) -> Tensor:
    """(N, 3, H, W) → (N, 1, H, W), the weighted sum of the channels."""
    red, green, blue = x.chunk(3, dim=1)
    return (red * GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2])


def gray_(x: Tensor) -> None:
    """Replace all three channels by the gray plane."""
    x.copy_(gray_plane(x))


def brightness_(x: Tensor, factor: Tensor) -> None:
    """Blend with black."""
    x.mul_(factor.view(-1, 1, 1, 1)).clamp_(max=1)


def contrast_(x: Tensor, factor: Tensor) -> None:
    """Blend with the mean of the gray plane, computed in one pass as the gray of the channel means."""
    factor = factor.view(-1, 1, 1, 1)
    mean = gray_plane(x.flatten(2).mean(dim=2).view(-1, 3, 1, 1))  # (N, 1, 1, 1)
    x.mul_(factor).add_((1 - factor) * mean).clamp_(0, 1)


def saturation_(x: Tensor, factor: Tensor) -> None:
    """Blend with the gray plane."""
    factor = factor.view(-1, 1, 1, 1)
    plane = gray_plane(x).mul_(1 - factor)
    x.mul_(factor).add_(plane).clamp_(0, 1)


def hue_(x: Tensor, shift: Tensor) -> None:
    """Shift the hue by `shift` (in turns, -0.5 to 0.5). Value and chroma do not change.

    torchvision converts to HSV and back. Here the hue is kept in units of the chroma C = max - min, which needs neither
    a division nor a lookup of sextants. With H the hue in sextants, -3 to 3 and 0 at red,
        C |H| = max - 2 min + green + blue - red,  with the sign of green - blue,
    and a channel that peaks at the hue P (red 0, green 2, blue 4) becomes
        min + clamp(2 C - |C H'|, 0, C),  H' = H + 6 shift - P wrapped to -3 … 3,
    where, for |H'| up to 6, wrapping is |H'| → 3 - | |H'| - 3 |.
    """
    red, green, blue = x.chunk(3, dim=1)
    high = torch.maximum(torch.maximum(red, green), blue)  # (N, 1, H, W), as all below
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = high - low
    base = low - chroma
    turn = (green + blue).sub_(red).sub_(base).copysign_(green - blue)
    peak = 2 * torch.arange(3, device=x.device).view(3, 1, 1)
    offset = torch.remainder(6 * shift.view(-1, 1, 1, 1) - peak + 3, 6) - 3  # (N, 3, 1, 1)
    torch.mul(chroma, offset, out=x)
    x.add_(turn).abs_().sub_(chroma, alpha=3).abs_().add_(base)
    torch.clamp(x, low, high, out=x)


def solarize_(x: Tensor) -> None:
    """Invert values of at least one half: there 1 - x is the smaller of x and 1 - x."""
    torch.minimum(x, 1 - x, out=x)
