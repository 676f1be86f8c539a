"""Patches of the photographs that scikit-image and scikit-learn install: a sample that needs no download.

The class is the photograph. Its LEFT half gives the unlabeled and the training patches, its RIGHT half the test
patches, so no pixel is in both. Left and right, because most of the photographs are layered from top to bottom: sky
over trees over ground. Cut the other way, training would never see the ground. A patch may touch the border
between the halves; it is cut out before it is made smaller, so resampling does not look across either.

A patch is a square of one to three times `image_size` (logarithmically uniform; at most the half's shorter side),
made `image_size` pixels wide by an antialiased bilinear filter: near and far views, as in natural images.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
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
from byol_kedro.sources.source import SPLITS
from byol_kedro.sources.stream import UNKNOWN_LABEL, ImageStream, Index

LARGEST = 3  # times image_size
Boxes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Photograph:
    """A file in a package; its part `box` (left, top, right, bottom), made `reduce` times smaller, is used."""

    package: str
    file: str
    box: tuple[int, int, int, int] | None = None
    reduce: int = 1

    def path(self) -> Path:
        """Raises UserError where the file is not there."""
        spec = find_spec(self.package)
        above = spec.submodule_search_locations if spec else None
        path = Path(above[0] if above else self.package) / self.file
        if not path.exists():
            raise UserError(f"photograph {path} is missing: install {self.package} as requirements.lock says")
        return path

    def read(self) -> Image.Image:
        """RGB, also where the photograph is gray."""
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
    # The square inside the eye's circle: the corners are black. It is three times the size of the others.
    "retina": Photograph("skimage", "data/retina.jpg", box=(220, 220, 1190, 1190), reduce=2),
    "rocket": Photograph("skimage", "data/rocket.jpg"),
}


class Photos:
    """Patches, cut anew from the seed at every call; nothing of them is in the repository."""

    name = "photos"

    def __init__(self, root: Path, parameters: Ingest, seed: int) -> None:  # noqa: ARG002  # the packages hold the files
        self._side = parameters.image_size
        self._counts = parameters.photos.model_dump()
        self._seed = seed
        self._stamps = stamps(photograph.path() for photograph in PHOTOGRAPHS.values())

    def stream(self, split: str) -> ImageStream:
        return ImageStream(
            side=self._side,
            class_names=list(PHOTOGRAPHS),
            source=self.name,
            origin=self._origin(split),
            index=partial(self._index, split),
            batches=partial(self._batches, split),
        )

    def _index(self, split: str) -> Index:
        each = self._counts[split]
        labels = np.repeat(np.arange(len(PHOTOGRAPHS)), each)
        return Index(
            labels=np.full_like(labels, UNKNOWN_LABEL) if split == "unlabeled" else labels,
            names=[f"{split}/{name}/{number:04d}" for name in PHOTOGRAPHS for number in range(each)],
        )

    def _batches(self, split: str) -> Iterator[npt.NDArray[np.uint8]]:
        """A batch (n, 3, side, side) uint8 for each photograph."""
        for number, place in enumerate(PHOTOGRAPHS.values()):
            generator = np.random.default_rng([self._seed, SPLITS.index(split), number])
            photograph = place.read()
            boxes = draw_boxes(photograph.size, split, self._counts[split], self._side, generator)
            yield cut(photograph, boxes, self._side)

    def _origin(self, split: str) -> dict[str, Any]:
        return {
            "source": self.name,
            "split": split,
            "image_size": self._side,
            "patches": self._counts[split],
            "largest": LARGEST,
            "seed": self._seed,
            "files": self._stamps,
            "parts": [[p.box, p.reduce] for p in PHOTOGRAPHS.values()],
            "packages": {name: version(name) for name in ("scikit-image", "scikit-learn", "pillow", "numpy")},
        }


def draw_boxes(size: tuple[int, int], split: str, count: int, image_size: int, generator: np.random.Generator) -> Boxes:
    """Squares in the half of a photograph that belongs to `split`: (count, 3) int64 of left, top, side in pixels.

    `size` is the photograph's width and height.
    """
    width, height = size
    first, last = (width // 2, width) if split == "test" else (0, width // 2)
    largest = min(last - first, height)
    factors = LARGEST ** generator.uniform(size=count)
    sides = np.minimum(np.rint(image_size * factors).astype(np.int64), largest)
    left = generator.integers(first, last - sides, endpoint=True)
    top = generator.integers(0, height - sides, endpoint=True)
    return np.stack([left, top, sides], axis=1)


def cut(photograph: Image.Image, boxes: Boxes, image_size: int) -> npt.NDArray[np.uint8]:
    """The squares `boxes`, each resampled: (n, 3, image_size, image_size) uint8."""
    patches = np.empty((len(boxes), image_size, image_size, 3), dtype=np.uint8)
    for patch, (left, top, side) in zip(patches, boxes.tolist(), strict=True):
        square = photograph.crop((left, top, left + side, top + side))
        patch[:] = np.asarray(square.resize((image_size, image_size), Image.Resampling.BILINEAR))
    return patches.transpose(0, 3, 1, 2)
