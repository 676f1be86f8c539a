"""The tables of the operations of a view; an operation is added here (docs/extending.md shows how)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from byol_kedro.byol.augmentation.blur import blur_
from byol_kedro.byol.augmentation.color import brightness_, contrast_, gray_, hue_, saturation_, solarize_

if TYPE_CHECKING:
    from byol_kedro.parameters import View


@dataclass(frozen=True)
class Jitter:
    """An operation of the color jitter. An image gets all of them, in a random order, or none.

    Attributes:
        strength: the factor is uniform in `neutral` ± `strength(view)`. With strength 0 the operation is left out.
        neutral: the factor that changes nothing.
        apply: changes images (n, 3, S, S) float32 in [0, 1] in place, each by its own factor, (n,) float32.
    """

    strength: Callable[["View"], float]
    neutral: float
    apply: Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class Operation:
    """An operation that each image gets with a probability, after crop, flip and color jitter.

    Attributes:
        name: key of the operation in `AugmentParams`.
        probability: the probability, from the parameters of a view.
        apply: changes images (n, 3, S, S) float32 in [0, 1] in place. Its second argument is the operation's
            parameter for each of them, if it has one.
        n_random: number of random numbers per image that the parameter is computed from.
        parameter: computes the parameter, (N, ...), from random numbers (N, n_random) uniform in [0, 1).
        expensive: on a CPU the images that get an expensive operation are made neighbors, so that it runs once.
    """

    name: str
    probability: Callable[["View"], float]
    apply: Callable[..., None]
    n_random: int = 0
    parameter: Callable[["View", Tensor], Tensor] | None = None
    expensive: bool = False


def _sigma(view: "View", u: Tensor) -> Tensor:
    """(N, 1) random numbers → (N,) float32, the standard deviation of the blur in pixels."""
    low, high = view.blur_sigma
    return low + (high - low) * u[:, 0]


JITTER = (
    Jitter(lambda view: view.brightness, 1.0, brightness_),
    Jitter(lambda view: view.contrast, 1.0, contrast_),
    Jitter(lambda view: view.saturation, 1.0, saturation_),
    Jitter(lambda view: view.hue, 0.0, hue_),
)
HUE = 3  # index in JITTER of its most expensive operation

# In the order in which an image gets them: paper (2006.07733), appendix B.
OPERATIONS = (
    Operation("grayscale", lambda view: view.grayscale_prob, gray_),
    Operation("blur", lambda view: view.blur_prob, blur_, n_random=1, parameter=_sigma, expensive=True),
    Operation("solarize", lambda view: view.solarize_prob, solarize_),
)
