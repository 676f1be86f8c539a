"""Plotly figures and PNG images, saved atomically and verified on load."""

import base64
import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.io
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets import plotly as kedro_plotly
from kedro_datasets._typing import ImagePreview, PlotlyPreview
from PIL import Image

from byol_kedro.datasets.atomic_save import ArtifactMixin

Pixels = npt.NDArray[np.uint8]


class PlotlyDataset(ArtifactMixin, kedro_plotly.JSONDataset):  # type: ignore[misc]  # the base has no types
    """A plotly figure as JSON."""

    def write(self, data: Any, path: Path) -> None:
        """Write the figure as JSON."""
        path.write_text(data.to_json(**self._save_args), encoding="utf-8")

    def read(self, path: Path) -> Any:
        """Read a figure."""
        return plotly.io.from_json(path.read_text("utf-8"), **self._load_args)

    def preview(self) -> PlotlyPreview:
        """Return the figure as JSON values for Kedro-Viz."""
        return PlotlyPreview(json.loads(self.checked_path().read_text("utf-8")))


class ImageDataset(ArtifactMixin, AbstractVersionedDataset[Pixels, Pixels]):
    """An image (H, W, 3) uint8 as PNG."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Take the arguments of the catalog entry."""
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def write(self, data: Pixels, path: Path) -> None:
        """Write a PNG."""
        Image.fromarray(data, mode="RGB").save(path, format="PNG", optimize=True)

    def read(self, path: Path) -> Pixels:
        """Read a PNG."""
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self) -> ImagePreview:
        """Return the PNG in base64 for Kedro-Viz."""
        return ImagePreview(base64.b64encode(self.checked_path().read_bytes()).decode())
