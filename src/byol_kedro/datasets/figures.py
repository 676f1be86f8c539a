"""Figures of plotly and plain pictures, saved whole or not at all."""

import base64
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets import plotly as kedro_plotly
from kedro_datasets._typing import ImagePreview
from PIL import Image

from byol_kedro.datasets.atomic import AtomicSave
from byol_kedro.datasets.files import replacing
from byol_kedro.datasets.versioned import Versions

Picture = npt.NDArray[np.uint8]


class PlotlyDataset(AtomicSave, kedro_plotly.JSONDataset):  # type: ignore[misc]  # the base has no types
    """A plotly figure as JSON."""

    def write(self, data: Any, path: Path) -> None:
        path.write_text(data.to_json(**self._save_args), encoding="utf-8")


class PictureDataset(Versions, AbstractVersionedDataset[Picture, Picture]):
    """A picture (H, W, 3) uint8 as PNG."""

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def save(self, data: Picture) -> None:
        """Raises UserError when the disk is full; then nothing is left."""
        with replacing(self.new_file()) as temporary:
            Image.fromarray(data, mode="RGB").save(temporary, format="PNG", optimize=True)

    def load(self) -> Picture:
        with Image.open(Path(self._get_load_path())) as picture:
            return np.asarray(picture.convert("RGB"))

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}

    def preview(self) -> ImagePreview:
        """The PNG, base64."""
        return ImagePreview(base64.b64encode(Path(self._get_load_path()).read_bytes()).decode())
