"""The notebook runs on the artifacts of a run, and its cells show what their text says."""

import json
import re
from collections.abc import Mapping

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from tests.support.kedro_runs import ROOT, Chain

Outputs = Mapping[str, Mapping[str, str]]


@pytest.fixture(scope="module")
def shown(chain: Chain) -> Outputs:
    """The last output of each code cell, by MIME type, by the text of the cell."""
    notebook = nbformat.read(ROOT / "notebooks/tour.ipynb", as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_ENV", "test")
        patch.setenv("BYOL_DATA_ROOT", str(chain.data_root))
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    outputs = {cell.source: cell.outputs[-1:] for cell in notebook.cells if cell.cell_type == "code"}
    return {source: output[0].get("data") or output[0] for source, output in outputs.items() if output}


def cell_with(shown: Outputs, code: str) -> Mapping[str, str]:
    """The last output of the only cell that contains `code`."""
    (output,) = (output for source, output in shown.items() if code in source)
    return output


def text(output: Mapping[str, str]) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", output.get("text/plain") or output["text"]).strip()


def test_results_table_has_every_row(shown: Outputs, chain: Chain) -> None:
    results = pd.read_csv(chain.versions("results")[-1])
    output = cell_with(shown, "run_id")
    assert f"{len(results)} rows" in text(output) or output["text/html"].count("<tr") == len(results) + 1


def test_encoder_header_is_shown(shown: Outputs) -> None:
    assert "'architecture': 'test_resnet'" in text(cell_with(shown, 'encoder = catalog.load("encoder")'))


def test_latents_have_a_row_for_each_test_image(shown: Outputs) -> None:
    assert re.fullmatch(r"\(\(64, 96\), dtype\('float32'\)\)", text(cell_with(shown, "features.shape")))


@pytest.mark.parametrize("code", ["sample_grid", "first_views", "Image.fromarray(sheet)"])
def test_images_are_shown(shown: Outputs, code: str) -> None:
    assert "image/png" in cell_with(shown, code)


@pytest.mark.parametrize("entry", ["training_curves", "top1_bars", "confusion_matrix"])
def test_figures_are_those_of_the_run(shown: Outputs, chain: Chain, entry: str) -> None:
    figure = cell_with(shown, f'catalog.load("{entry}")')["application/vnd.plotly.v1+json"]
    assert len(figure["data"]) == len(json.loads(chain.versions(entry)[-1].read_text("utf-8"))["data"])


def test_map_has_every_test_image(shown: Outputs) -> None:
    figure = cell_with(shown, "px.scatter")["application/vnd.plotly.v1+json"]
    assert sum(len(trace["hovertext"]) for trace in figure["data"]) == 64


def test_probe_by_hand_has_the_top1_of_the_table(shown: Outputs, chain: Chain) -> None:
    rows = json.loads(chain.versions("probe_metrics")[-1].read_text("utf-8"))["rows"]
    expected = next(row["top1"] for row in rows if row["protocol"] == "logistic")
    assert text(cell_with(shown, "LogisticRegression")) == f"top-1 on the test images: {expected:.1%}"


def test_encoder_in_plain_pytorch_gives_the_saved_features(shown: Outputs) -> None:
    assert float(text(cell_with(shown, "load_encoder"))) < 1e-5


def test_jupyterlab_is_mentioned() -> None:
    first = nbformat.read(ROOT / "notebooks/tour.ipynb", as_version=4).cells[0].source
    assert first.index('pip install ".[notebook]"') < first.index("kedro jupyter lab --env=sample")
