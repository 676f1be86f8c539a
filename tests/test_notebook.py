"""The notebook runs from top to bottom on a run's artifacts."""

import json
import re

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT, Chain


def test_the_tour_runs_from_top_to_bottom(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "test")
    monkeypatch.setenv("BYOL_DATA_ROOT", str(chain.data_root))
    notebook = nbformat.read(ROOT / "notebooks/tour.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    classes = len(json.loads(chain.versions("latent_map")[-1].read_text("utf-8"))["data"])
    (result,) = (output for output in last.outputs if output.output_type == "execute_result")
    assert re.sub(r"\x1b\[[0-9;]*m", "", result["data"]["text/plain"]) == str(classes)
