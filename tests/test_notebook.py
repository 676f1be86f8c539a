"""The notebook runs on the artifacts of a run, and its cells show what their text says."""

import json
import re
from collections.abc import Mapping

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.support.kedro_runs import ROOT, Chain


@pytest.fixture(scope="module")
def shown(chain: Chain) -> list[Mapping[str, str]]:
    """The last output of each code cell, by MIME type."""
    notebook = nbformat.read(ROOT / "notebooks/tour.ipynb", as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_ENV", "test")
        patch.setenv("BYOL_DATA_ROOT", str(chain.data_root))
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    outputs = [cell.outputs[-1:] for cell in notebook.cells if cell.cell_type == "code"]
    return [output[0]["data"] if output and "data" in output[0] else {} for output in outputs]


def text(output: Mapping[str, str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", output["text/plain"]).strip()


def test_results_table_has_every_row(shown: list[Mapping[str, str]], chain: Chain) -> None:
    results = pd.read_csv(chain.versions("results")[-1])
    assert f"{len(results)} rows" in text(shown[1]) or shown[1]["text/html"].count("<tr") == len(results) + 1


def test_encoder_header_is_shown(shown: list[Mapping[str, str]]) -> None:
    assert "'architecture': 'test_resnet'" in text(shown[2])


def test_latents_have_a_row_for_each_test_image(shown: list[Mapping[str, str]]) -> None:
    assert re.fullmatch(r"\(\(64, 96\), dtype\('float32'\)\)", text(shown[3]))


def test_neighbors_are_a_figure_and_eight_names(shown: list[Mapping[str, str]]) -> None:
    assert "image/png" in shown[4]
    names = re.findall(r"'(test/[^']+)'", text(shown[5]))
    assert len(set(names)) == 8


def test_clusters_are_counted(shown: list[Mapping[str, str]]) -> None:
    assert text(shown[6]).startswith("cluster")


def test_map_is_a_figure(shown: list[Mapping[str, str]], chain: Chain) -> None:
    figure = shown[7]["application/vnd.plotly.v1+json"]
    expected = json.loads(chain.versions("pair_embedding_map")[-1].read_text("utf-8"))
    assert len(figure["data"]) == len(expected["data"])
    assert [trace["x"] for trace in figure["data"]] == [trace["x"] for trace in expected["data"]]


def test_jupyterlab_is_mentioned() -> None:
    first = nbformat.read(ROOT / "notebooks/tour.ipynb", as_version=4).cells[0].source
    assert first.index("pip install jupyterlab") < first.index("kedro jupyter lab --env=sample")
