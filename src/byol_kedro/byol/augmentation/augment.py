"""The random views of BYOL (paper 2006.07733, appendix B): parameters are drawn per image, pixels made in batches."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byol_kedro.byol.augmentation.blur import MULTIPLE
from byol_kedro.byol.augmentation.draw import SKIPPED, AugmentParams, draw_params
from byol_kedro.byol.augmentation.geometry import crop_resize_flip
from byol_kedro.byol.augmentation.operations import HUE, JITTER, OPERATIONS

if TYPE_CHECKING:
    from byol_kedro.parameters import View

# Pixels per block on a CPU: 16 images of 96 × 96, whose buffers stay in the cache and below the size at which malloc
# asks the system for fresh pages. Blocks of 32 and 48 images were slower. Other devices take all images at once.
BLOCK = 16 * 96 * 96


def augment(
    images: Tensor,
    view: "View",
    generator: torch.Generator,
    *,
    size: int | None = None,
    mean: Tensor | None = None,
    std: Tensor | None = None,
) -> Tensor:
    """Make one random view of each image.

    Do not call it inside autocast, which would round the pixels to bfloat16.

    Args:
        images: (N, 3, S, S) uint8, on any device.
        view: the distribution of the views.
        generator: the source of all random numbers.
        size: side of the views in pixels, V; None: that of the images.
        mean: (3,) float32 on the device of the images.
        std: (3,) float32 on the device of the images. With `mean`, the views are normalized: (x - mean) / std.

    Returns:
        (N, 3, V, V) float32 in [0, 1], or normalized.
    """
    params = draw_params(view, len(images), images.shape[-1], generator)
    return apply_params(images, params, size=size, mean=mean, std=std)


def apply_params(
    images: Tensor,
    params: AugmentParams,
    *,
    size: int | None = None,
    mean: Tensor | None = None,
    std: Tensor | None = None,
) -> Tensor:
    """Make the views with the given parameters; the other arguments and the result are those of `augment`."""
    size = size or images.shape[-1]
    out = torch.empty((*images.shape[:2], size, size), dtype=torch.float32, device=images.device)
    block = _block_size(out)
    work = torch.empty_like(out[:block])
    for rows in torch.split(_grouped(params), block):
        on_device, x = rows.to(images.device, non_blocking=True), work[: len(rows)]
        _apply_block(images.index_select(0, on_device), params.take(rows), x)
        if mean is not None and std is not None:
            x.sub_(mean.view(3, 1, 1)).div_(std.view(3, 1, 1))
        out.index_copy_(0, on_device, x)
    return out


def _block_size(views: Tensor) -> int:
    """Number of images that are processed together."""
    if views.device.type != "cpu":
        return len(views)
    return MULTIPLE * max(1, BLOCK // (MULTIPLE * views.shape[-1] ** 2))


def _apply_block(images: Tensor, params: AugmentParams, x: Tensor) -> None:
    """Apply everything but the normalization; `x` receives the result."""
    box, flip, factors = (t.to(x.device, non_blocking=True) for t in (params.box, params.flip, params.jitter_factors))
    parameters = {name: tensor.to(x.device, non_blocking=True) for name, tensor in params.parameters.items()}
    # A slice is a view, and picked rows are a copy. On a GPU a copy costs less than another round of launches.
    groups = _runs if x.device.type == "cpu" else _picks
    crop_resize_flip(images, box, flip, out=x)
    for slot in params.jitter_order.T.tolist():
        for rows, index in groups(slot, SKIPPED):
            _apply_to(x, rows, JITTER[index].apply, factors[:, index])
    for operation in OPERATIONS:
        own = [parameters[operation.name]] if operation.name in parameters else []
        for rows, _ in groups(params.applied[operation.name].tolist(), skipped=False):
            _apply_to(x, rows, operation.apply, *own)


def _grouped(params: AugmentParams) -> Tensor:
    """An order of the images, (N,) int64, that makes images with the same operations neighbors: few runs on a CPU."""
    applied = params.applied
    hue_at = (params.jitter_order == HUE).int().argmax(dim=1)
    digits = [
        *(applied[operation.name] for operation in OPERATIONS if operation.expensive),
        hue_at,
        *params.jitter_order.unbind(1),
        *(applied[operation.name] for operation in OPERATIONS if not operation.expensive),
    ]
    key = torch.zeros_like(hue_at)
    for digit in digits:  # each from -1 to len(JITTER) - 1
        key = key * (len(JITTER) + 1) + (digit.long() + 1)
    return key.argsort(stable=True)


def _runs(values: list[int], skipped: int) -> Iterator[tuple[slice, int]]:
    """[7, 7, 9, 7] → (0:2, 7), (2:3, 9), (3:4, 7); without the runs of `skipped`."""
    start = 0
    for value, group in groupby(values):
        stop = start + len(list(group))
        if value != skipped:
            yield slice(start, stop), value
        start = stop


def _picks(values: list[int], skipped: int) -> Iterator[tuple[Tensor, int]]:
    """[7, 7, 9, 7] → ([0, 1, 3], 7), ([2], 9), each int64; without `skipped`."""
    for value in {*values} - {skipped}:
        yield torch.tensor([row for row, each in enumerate(values) if each == value]), value


def _apply_to(x: Tensor, rows: slice | Tensor, apply: Callable[..., None], *parameters: Tensor) -> None:
    """Apply an operation in place to some rows of `x`, with the same rows of its parameters."""
    if isinstance(rows, slice):
        apply(x[rows], *(parameter[rows] for parameter in parameters))
        return
    rows = rows.to(x.device, non_blocking=True)
    part = x[rows]
    apply(part, *(parameter[rows] for parameter in parameters))
    x.index_copy_(0, rows, part)
