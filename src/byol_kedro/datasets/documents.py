"""JSON and text (Markdown, HTML), saved atomically and verified on load."""

import json
from pathlib import Path
from typing import Any, ClassVar

from kedro_datasets import json as kedro_json
from kedro_datasets import text as kedro_text
from kedro_datasets._typing import HTMLPreview

from byol_kedro.datasets.atomic_save import ArtifactMixin


class JSONDataset(ArtifactMixin, kedro_json.JSONDataset):  # type: ignore[misc]  # the base has no types
    """Strict JSON: NaN and infinity are refused, because other parsers do not accept them."""

    DEFAULT_SAVE_ARGS: ClassVar[dict[str, Any]] = {"indent": 2, "ensure_ascii": False}

    def write(self, data: Any, path: Path) -> None:
        """Write JSON.

        Raises:
            ValueError: The data contain NaN or infinity.
            TypeError: The data contain a type that JSON does not have.
        """
        text = json.dumps(data, allow_nan=False, **self._save_args)
        path.write_text(text + "\n", encoding="utf-8")

    def read(self, path: Path) -> Any:
        """Read JSON."""
        return json.loads(path.read_text("utf-8"))


class TextDataset(ArtifactMixin, kedro_text.TextDataset):  # type: ignore[misc]  # the base has no types
    """Text in UTF-8."""

    def write(self, data: str, path: Path) -> None:
        """Write the text."""
        path.write_text(data, encoding="utf-8")

    def read(self, path: Path) -> str:
        """Read the text."""
        return path.read_text("utf-8")

    def preview(self) -> HTMLPreview:
        """Return Markdown for Kedro-Viz, which renders it; of a page, which needs its scripts, where it is."""
        path = self.checked_path()
        return HTMLPreview(self.read(path) if path.suffix == ".md" else f"Open in a browser:<br>`{path.resolve()}`")
