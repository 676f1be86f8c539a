"""Patches of the photographs that scikit-image and scikit-learn install: a sample that needs no download.

The class is the photograph. Unlabeled and training patches come from its LEFT half, test patches from its RIGHT half,
so they share no pixel. The halves are left and right because most photographs are layered from top to bottom (sky,
trees, ground), and training on the upper half would never see the ground. A patch is cropped before it is resized, so
the resampling filter does not cross the border between the halves either.

A patch is a square of one to three times `image_size` (log-uniform; at most the shorter side of the half), resized to
`image_size` pixels by an antialiased bilinear filter, which gives near and far views as in natural images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from byol_kedro.errors import UserError
from byol_kedro.files.user_files import stamps
from byol_kedro.parameters import Ingest
from byol_kedro.sources.source import SPLITS, UNKNOWN_LABEL, Index, Pixels, Source

MAX_SCALE = 3  # times image_size
Boxes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Photograph:
    """A file in a package.

    Attributes:
        package: Name of the package.
        file: Path in the package.
        box: The part that is used: left, top, right, bottom; None for all of it.
        reduce: Factor by which the image is downsampled.
    """

    package: str
    file: str
    box: tuple[int, int, int, int] | None = None
    reduce: int = 1

    def path(self) -> Path:
        """Return the path of the file.

        Raises:
            UserError: The package is not installed or lacks the file.
        """
        spec = find_spec(self.package)
        above = spec.submodule_search_locations if spec else None
        path = Path(above[0] if above else self.package) / self.file
        if not path.exists():
            raise UserError(f"photograph {path} is missing; install {self.package} from requirements.lock")
        return path

    def read(self) -> Image.Image:
        """Return the image as RGB, also if the photograph is gray."""
        with Image.open(self.path()) as file:
            return file.convert("RGB").reduce(self.reduce, box=self.box)


PHOTOGRAPHS = {
    "astronaut": Photograph("skimage", "data/astronaut.png"),
    "brick": Photograph("skimage", "data/brick.png"),
    "camera": Photograph("skimage", "data/camera.png"),
    "chelsea": Photograph("skimage", "data/chelsea.png"),
    "china": Photograph("sklearn", "datasets/images/china.jpg"),
    "coffee": Photograph("skimage", "data/coffee.png"),
    "coins": Photograph("skimage", "data/coins.png"),
    "flower": Photograph("sklearn", "datasets/images/flower.jpg"),
    "grass": Photograph("skimage", "data/grass.png"),
    "gravel": Photograph("skimage", "data/gravel.png"),
    "hubble": Photograph("skimage", "data/hubble_deep_field.jpg"),
    "ihc": Photograph("skimage", "data/ihc.png"),
    "moon": Photograph("skimage", "data/moon.png"),
    "motorcycle": Photograph("skimage", "data/motorcycle_left.png"),
    # The square inside the circle of the eye, whose corners are black. It is three times as large as the others.
    "retina": Photograph("skimage", "data/retina.jpg", box=(220, 220, 1190, 1190), reduce=2),
    "rocket": Photograph("skimage", "data/rocket.jpg"),
}


class PhotosSource(Source):
    """Crops patches at random positions that depend on the seed alone. `root` is not used."""

    name = "photos"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:
        """Find the photographs."""
        super().__init__(root, parameters, seed)
        self.class_names = list(PHOTOGRAPHS)
        self._counts = parameters.photos.model_dump()
        self._stamps = stamps(photograph.path() for photograph in PHOTOGRAPHS.values())

    def origin(self, split: str) -> dict[str, Any]:
        """Return parameters, seed, file stamps and package versions."""
        return {
            "image_size": self.side,
            "patches": self._counts[split],
            "largest": MAX_SCALE,
            "seed": self.seed,
            "files": self._stamps,
            "parts": [[p.box, p.reduce] for p in PHOTOGRAPHS.values()],
            "packages": {name: version(name) for name in ("scikit-image", "scikit-learn", "pillow", "numpy")},
        }

    def index(self, split: str) -> Index:
        """Return the labels, and names such as `train/astronaut/0003`."""
        each = self._counts[split]
        labels = np.repeat(np.arange(len(PHOTOGRAPHS)), each)
        return Index(
            labels=np.full_like(labels, UNKNOWN_LABEL) if split == "unlabeled" else labels,
            names=[f"{split}/{name}/{number:04d}" for name in PHOTOGRAPHS for number in range(each)],
        )

    def batches(self, split: str) -> Iterator[Pixels]:
        """Yield one batch for each photograph."""
        for number, photograph in enumerate(PHOTOGRAPHS.values()):
            generator = np.random.default_rng([self.seed, SPLITS.index(split), number])
            image = photograph.read()
            boxes = draw_boxes(image.size, split, self._counts[split], self.side, generator)
            yield crop(image, boxes, self.side)


def draw_boxes(size: tuple[int, int], split: str, count: int, image_size: int, generator: np.random.Generator) -> Boxes:
    """Draw squares in the half of a photograph that belongs to `split`.

    Args:
        size: Width and height of the photograph.
        split: One of `SPLITS`.
        count: Number of squares.
        image_size: Smallest side of a square.
        generator: Random generator.

    Returns:
        Left, top and side in pixels, (count, 3) int64.
    """
    width, height = size
    first, last = (width // 2, width) if split == "test" else (0, width // 2)
    largest = min(last - first, height)
    factors = MAX_SCALE ** generator.uniform(size=count)
    sides = np.minimum(np.rint(image_size * factors).astype(np.int64), largest)
    left = generator.integers(first, last - sides, endpoint=True)
    top = generator.integers(0, height - sides, endpoint=True)
    return np.stack([left, top, sides], axis=1)


def crop(photograph: Image.Image, boxes: Boxes, image_size: int) -> Pixels:
    """Return the squares `boxes` resized to (n, 3, image_size, image_size) uint8."""
    patches = np.empty((len(boxes), image_size, image_size, 3), dtype=np.uint8)
    for patch, (left, top, side) in zip(patches, boxes.tolist(), strict=True):
        square = photograph.crop((left, top, left + side, top + side))
        patch[:] = np.asarray(square.resize((image_size, image_size), Image.Resampling.BILINEAR))
    return patches.transpose(0, 3, 1, 2)
