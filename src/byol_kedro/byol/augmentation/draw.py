"""The random parameters of views (paper 2006.07733, appendix B), drawn for each image independently."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from byol_kedro.byol.augmentation.operations import JITTER, OPERATIONS

if TYPE_CHECKING:
    from byol_kedro.parameters import View

TRIES = 10  # torchvision's RandomResizedCrop gives up after as many
SKIPPED = -1  # in `AugmentParams.jitter_order`: this image does not get the operation

# Random numbers per image, in the order of their columns.
COLUMNS = {
    "crop": 4 * TRIES,
    "hflip": 1,
    "color_jitter": 1,
    **{operation.name: 1 for operation in OPERATIONS},
    **{f"{operation.name} parameter": operation.n_random for operation in OPERATIONS},
    "jitter order": len(JITTER),
    "jitter factors": len(JITTER),
}


@dataclass(frozen=True)
class AugmentParams:
    """The parameters of N views. They are on the CPU, which decides which operations are launched for which images.

    Attributes:
        box: (N, 4) int64, top, left, height and width of the crop.
        flip: (N,) bool.
        jitter_order: (N, J) int64, indices into `JITTER` in the order of their use, or `SKIPPED`.
        jitter_factors: (N, J) float32, in the order of `JITTER`.
        applied: (N,) bool for each of `OPERATIONS`, by name.
        parameters: (N, ...) for each of `OPERATIONS` with a parameter, by name.
    """

    box: Tensor
    flip: Tensor
    jitter_order: Tensor
    jitter_factors: Tensor
    applied: dict[str, Tensor]
    parameters: dict[str, Tensor]

    def take(self, rows: Tensor | slice) -> "AugmentParams":
        """The parameters of some of the views: `rows` are (M,) int64 or a slice."""
        return AugmentParams(
            box=self.box[rows],
            flip=self.flip[rows],
            jitter_order=self.jitter_order[rows],
            jitter_factors=self.jitter_factors[rows],
            applied={name: applied[rows] for name, applied in self.applied.items()},
            parameters={name: parameter[rows] for name, parameter in self.parameters.items()},
        )


def draw_params(view: "View", n: int, size: int, generator: torch.Generator) -> AugmentParams:
    """Draw the parameters of `n` views of images of `size` × `size` pixels.

    All numbers come from one call to the generator. With a generator on the CPU the views are the same on every
    device, and the host never waits for the device.
    """
    u = torch.rand((n, sum(COLUMNS.values())), generator=generator, device=generator.device).cpu()
    column = dict(zip(COLUMNS, torch.split(u, [*COLUMNS.values()], dim=1), strict=True))
    strength = u.new_tensor([operation.strength(view) for operation in JITTER])
    neutral = u.new_tensor([operation.neutral for operation in JITTER])
    order = column["jitter order"].contiguous().argsort(dim=1)
    jittered = (column["color_jitter"] < view.color_jitter_prob) & (strength[order] > 0)
    return AugmentParams(
        box=_boxes(view, size, column["crop"].view(n, TRIES, 4)),
        flip=column["hflip"][:, 0] < view.hflip_prob,
        jitter_order=torch.where(jittered, order, SKIPPED),
        jitter_factors=neutral + strength * (2 * column["jitter factors"] - 1),
        applied={each.name: column[each.name][:, 0] < each.probability(view) for each in OPERATIONS},
        parameters={
            each.name: each.parameter(view, column[f"{each.name} parameter"])
            for each in OPERATIONS
            if each.parameter is not None
        },
    )


def _boxes(view: "View", size: int, u: Tensor) -> Tensor:
    """(N, TRIES, 4) random numbers → (N, 4) int64 boxes: the first try inside the image, else a central box."""
    area = size * size * (view.scale[0] + (view.scale[1] - view.scale[0]) * u[..., 0])
    low, high = torch.tensor(view.ratio, dtype=torch.float64).log().tolist()
    ratio = torch.exp(low + (high - low) * u[..., 1])
    width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (width > 0) & (width <= size) & (height > 0) & (height <= size)
    top = torch.minimum((u[..., 2] * (size - height + 1)).floor(), size - height)
    left = torch.minimum((u[..., 3] * (size - width + 1)).floor(), size - width)
    boxes = torch.stack((top, left, height, width), dim=-1).long()
    first = fits.int().argmax(dim=1)
    chosen = boxes[torch.arange(len(u)), first]
    return torch.where(fits.any(dim=1, keepdim=True), chosen, boxes.new_tensor(_central_box(view, size)))


def _central_box(view: "View", size: int) -> list[int]:
    """The largest central box with an allowed aspect ratio."""
    low, high = view.ratio
    width = min(size, round(size * high))
    height = min(size, round(size / low))
    return [(size - height) // 2, (size - width) // 2, height, width]
