"""The random views of BYOL (paper 2006.07733, appendix B): parameters for each image, then pixels in batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byol_kedro.byol.augmentation import color, geometry
from byol_kedro.byol.augmentation.blur import MULTIPLE, blur_

if TYPE_CHECKING:
    from byol_kedro.parameters import View

TRIES = 10  # torchvision's RandomResizedCrop gives up after as many
NOTHING = -1  # in the place of a color operation that an image is spared
# On a CPU, the pixels that go through the chain together: 16 images of 96 × 96, whose buffers stay in the cache, and
# below the size at which malloc asks the system for fresh pages (blocks of 32 and 48 were slower). Elsewhere all do.
BLOCK = 16 * 96 * 96


@dataclass(frozen=True)
class Draw:
    """The parameters of N views, on the CPU: which image takes which step decides what is launched on a device.

    box: (N, 4) int64, top, left, height, width of the crop. flip, gray, blur, solarize: (N,) bool.
    order: (N, 4) int64, the columns of `factors` in the order of their use, or NOTHING.
    factors: (N, 4) float32: brightness, contrast, saturation, and the shift of the hue in turns.
    sigma: (N,) float32, the width of the blur in pixels.
    """

    box: Tensor
    flip: Tensor
    order: Tensor
    factors: Tensor
    gray: Tensor
    blur: Tensor
    sigma: Tensor
    solarize: Tensor

    def take(self, rows: Tensor | slice) -> "Draw":
        """The parameters of some of the views: `rows` are (M,) int64 or a slice."""
        return Draw(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def draw(view: "View", n: int, size: int, generator: torch.Generator) -> Draw:
    """Draws the parameters of `n` views of images of `size` × `size` pixels, each by itself.

    All numbers come from one call to the generator. If that lies on another device, the host waits for it here, and
    nowhere else in this module; a generator on the CPU makes views on any device without waiting, and the same ones.
    """
    u = torch.rand((n, 4 * TRIES + 14), generator=generator, device=generator.device).cpu()
    tries, rest = u[:, : 4 * TRIES].view(n, TRIES, 4), u[:, 4 * TRIES :].unbind(1)
    strength = u.new_tensor([view.brightness, view.contrast, view.saturation, view.hue])
    order = torch.stack(rest[6:10], dim=1).argsort(dim=1)
    used = (rest[1] < view.color_jitter_prob).unsqueeze(1) & (strength[order] > 0)
    low, high = view.blur_sigma
    return Draw(
        box=_boxes(view, size, tries),
        flip=rest[0] < view.hflip_prob,
        order=torch.where(used, order, NOTHING),
        factors=u.new_tensor([1.0, 1.0, 1.0, 0.0]) + strength * (2 * torch.stack(rest[10:14], dim=1) - 1),
        gray=rest[2] < view.grayscale_prob,
        blur=rest[3] < view.blur_prob,
        sigma=low + (high - low) * rest[5],
        solarize=rest[4] < view.solarize_prob,
    )


def _boxes(view: "View", size: int, u: Tensor) -> Tensor:
    """(N, TRIES, 4) uniform numbers → (N, 4) int64 boxes: the first try that fits, else a central box."""
    area = size * size * (view.scale[0] + (view.scale[1] - view.scale[0]) * u[..., 0])
    low, high = torch.tensor(view.ratio, dtype=torch.float64).log().tolist()
    aspect = torch.exp(low + (high - low) * u[..., 1])
    width, height = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (width > 0) & (width <= size) & (height > 0) & (height <= size)
    top = torch.minimum((u[..., 2] * (size - height + 1)).floor(), size - height)
    left = torch.minimum((u[..., 3] * (size - width + 1)).floor(), size - width)
    boxes = torch.stack((top, left, height, width), dim=-1).long()
    first = fits.int().argmax(dim=1)
    chosen = boxes[torch.arange(len(u)), first]
    return torch.where(fits.any(dim=1, keepdim=True), chosen, boxes.new_tensor(_central(view, size)))


def _central(view: "View", size: int) -> list[int]:
    """The largest central box whose aspect is allowed."""
    low, high = view.ratio
    width = min(size, round(size * high))
    height = min(size, round(size / low))
    return [(size - height) // 2, (size - width) // 2, height, width]


def apply(images: Tensor, drawn: Draw, *, mean: Tensor | None = None, std: Tensor | None = None) -> Tensor:
    """Makes the views that were drawn: (N, 3, S, S) uint8 → (N, 3, S, S) float32, as `augment` says."""
    block = _block(images)
    out = torch.empty(images.shape, dtype=torch.float32, device=images.device)
    work = torch.empty_like(out[:block])
    for rows in torch.split(_neighbors(drawn), block):
        there, x = rows.to(images.device, non_blocking=True), work[: len(rows)]
        _chain(images.index_select(0, there), drawn.take(rows), x)
        if mean is not None and std is not None:
            x.sub_(mean.view(3, 1, 1)).div_(std.view(3, 1, 1))
        out.index_copy_(0, there, x)
    return out


def _block(images: Tensor) -> int:
    """How many images go through the chain together."""
    if images.device.type != "cpu":
        return len(images)
    return MULTIPLE * max(1, BLOCK // (MULTIPLE * images.shape[-1] ** 2))


def _chain(images: Tensor, drawn: Draw, x: Tensor) -> None:
    """All steps but the normalization, into `x`."""
    needed = (drawn.box, drawn.flip, drawn.factors, drawn.sigma)
    box, flip, factors, sigma = (tensor.to(x.device, non_blocking=True) for tensor in needed)
    factor = factors.unbind(1)
    # A slice is a view, where picking rows copies them. On a GPU a copy costs less than the launches of one run more.
    groups = _runs if x.device.type == "cpu" else _picks
    geometry.crop_resize_flip(images, box, flip, out=x)
    for slot in drawn.order.T.tolist():
        for rows, index in groups(slot, NOTHING):
            _change(x, rows, color.OPERATIONS[index], factor[index])
    for rows, _ in groups(drawn.gray.tolist(), nothing=False):
        _change(x, rows, color.gray_)
    for rows, _ in groups(drawn.blur.tolist(), nothing=False):
        _change(x, rows, blur_, sigma)
    for rows, _ in groups(drawn.solarize.tolist(), nothing=False):
        _change(x, rows, color.solarize_)


def _neighbors(drawn: Draw) -> Tensor:
    """An order of the images, (N,) int64, in which those that share a step lie side by side: few runs on a CPU."""
    hue_at = (drawn.order == color.OPERATIONS.index(color.hue_)).int().argmax(dim=1)  # the dearest: few, long runs
    key = drawn.blur.long()
    for digit in (hue_at, *drawn.order.unbind(1), drawn.gray, drawn.solarize):
        key = key * 5 + (digit.long() + 1)
    return key.argsort(stable=True)


def _runs(values: list[int], nothing: int) -> Iterator[tuple[slice, int]]:
    """[7, 7, 9, 7] → (0:2, 7), (2:3, 9), (3:4, 7); runs of `nothing` are left out."""
    start = 0
    for value, group in groupby(values):
        stop = start + len(list(group))
        if value != nothing:
            yield slice(start, stop), value
        start = stop


def _picks(values: list[int], nothing: int) -> Iterator[tuple[Tensor, int]]:
    """[7, 7, 9, 7] → ([0, 1, 3], 7), ([2], 9), each int64; `nothing` is left out."""
    for value in {*values} - {nothing}:
        yield torch.tensor([row for row, each in enumerate(values) if each == value]), value


def _change(x: Tensor, rows: slice | Tensor, step: Callable[..., None], *parameters: Tensor) -> None:
    """Takes a step in place on some rows of `x`, with the same rows of its parameters."""
    if isinstance(rows, slice):
        step(x[rows], *(parameter[rows] for parameter in parameters))
        return
    rows = rows.to(x.device, non_blocking=True)
    part = x[rows]
    step(part, *(parameter[rows] for parameter in parameters))
    x.index_copy_(0, rows, part)


def augment(
    images: Tensor,
    view: "View",
    generator: torch.Generator,
    *,
    mean: Tensor | None = None,
    std: Tensor | None = None,
) -> Tensor:
    """One random view of each image: (N, 3, S, S) uint8 → (N, 3, S, S) float32 in [0, 1], or normalized.

    images may lie on any device, mean and std: (3,) float32 on the same; where given, the result is (x - mean) / std.
    All that is random comes from `generator`. Images are squares. Not for use inside autocast, which would round
    the pixels to bfloat16.
    """
    return apply(images, draw(view, len(images), images.shape[-1], generator), mean=mean, std=std)
