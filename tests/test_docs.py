"""The Python snippets of the documentation run as written, and its numbers agree with each other."""

import re
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from kedro.io import Version
from PIL import Image

from byol_kedro import __version__
from byol_kedro.byol.encoder import to_arrays
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.evaluation.metrics import percent, wilson_interval
from byol_kedro.export.write import write
from byol_kedro.runs.listing import HEADLINES
from tests.support.encoders import OLDER
from tests.support.exports import assert_same, frozen, normalized
from tests.support.kedro_runs import ROOT, Chain, type_kedro_run

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def snippets() -> list[tuple[str, str]]:
    """Every Python block with its document, dedented."""
    return [(path.name, textwrap.dedent(code)) for path in DOCUMENTS for code in BLOCK.findall(path.read_text("utf-8"))]


def executed(document: str, *words: str, run_id: str = OLDER) -> dict[str, Any]:
    """Execute the only snippet of a document that contains `words`, and return its names."""
    (code,) = (code for name, code in snippets() if name == document and all(word in code for word in words))
    names: dict[str, Any] = {}
    exec(compile(code.replace("<run_id>", run_id), document, "exec"), names)  # our own text
    return names


@pytest.fixture
def place(tmp_path: Path, chain_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the snippets expect: the artifacts of two environments and two images."""
    monkeypatch.chdir(tmp_path)
    for environment in ("sample", "folder"):
        (chain_copy / environment).symlink_to(chain_copy)
    for seed, name in enumerate(("cat.jpg", "dog.png")):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(name)
    return tmp_path


def test_every_snippet_is_tested_here() -> None:
    assert [name for name, _ in snippets()] == ["README.md", "artifacts.md", *["predict.md"] * 4]


@pytest.mark.parametrize("document", ["README.md", "predict.md"])
@pytest.mark.usefixtures("place")
def test_encoder_is_loaded_from_a_data_root(document: str) -> None:
    assert executed(document, "load_encoder")["features"].shape == (2, 96)


@pytest.mark.usefixtures("place")
def test_similar_images_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    executed("predict.md", "open_gallery")
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_predictions_are_read(place: Path, chain_copy: Path) -> None:
    (place / "new").mkdir()
    (place / "cat.jpg").rename(place / "new" / "cat.jpg")
    (place / "new" / "broken.png").write_text("no image")
    run = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=predict", params=f"predict_root={place}/new"))
    names = executed("predict.md", "read_parquet", run_id=run.versions("predicted_images")[-1].parent.name)
    assert names["features"].shape == (1, 96)
    assert list(names["read"]["path"]) == ["cat.jpg"]


@torch.no_grad()
def test_export_with_small_stem_loads_in_timm(place: Path) -> None:
    encoder = frozen(stem="small")
    write(encoder, "timm", place / "encoder.safetensors")
    model = executed("predict.md", "conv1")["model"].eval()
    assert_same(model(normalized(encoder)).numpy(), encoder)


@torch.no_grad()
def test_artifact_loads_in_timm(place: Path) -> None:
    encoder = frozen()
    folder = place / "data/stl10/06_models/encoder.safetensors"
    saved = Tensors(to_arrays(encoder.model), encoder.header.to_dict())
    TensorsDataset(filepath=str(folder), version=Version(None, OLDER)).save(saved)
    model = executed("artifacts.md", "timm")["model"].eval()
    assert_same(model(normalized(encoder)).numpy(), encoder)


def test_every_environment_has_the_imagenet_stem() -> None:
    files = (ROOT / "conf").glob("*/parameters*.yml")
    parameters = [yaml.safe_load(path.read_text("utf-8")) or {} for path in files]
    stems = [block["pretrain"]["encoder"].get("stem") for block in parameters if "encoder" in block.get("pretrain", {})]
    assert "imagenet" in stems
    assert set(stems) <= {"imagenet", None}


def test_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def test_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["version"] == project["version"] == __version__
    assert citation["license"] == project["license"]


def test_every_page_is_in_the_navigation() -> None:
    pages = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    assert pages == {path.name for path in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), ROOT / "conf/README.md"], ids=str)
def test_relative_links_lead_to_files(path: Path) -> None:
    """MkDocs checks those between the pages of docs/."""
    links = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


def sample_rows(document: str) -> dict[tuple[str, str, str], str]:
    """Top-1 with its interval by features, classifier and epochs, from the sample's table in a document."""
    table = re.compile(r"^\| features +\| classifier +\| epochs +\| +top-1 \|\n.*\n((?:\|.*\n)+)", re.MULTILINE)
    (body,) = table.findall((ROOT / document).read_text("utf-8"))
    rows = [[cell.strip() for cell in line.strip(" |").split("|")] for line in body.splitlines()]
    return {(features, classifier, epochs): top1 for features, classifier, epochs, top1 in rows}


def test_readme_rows_are_in_the_results_page() -> None:
    rows = sample_rows("README.md")
    assert len(rows) == 3
    assert rows.items() <= sample_rows("docs/results.md").items()


@pytest.mark.parametrize("row", sample_rows("docs/results.md").items(), ids=str)
def test_top1_and_interval_are_those_of_1600_test_images(row: tuple[tuple[str, str, str], str]) -> None:
    near = round(16 * float(row[1].split(" %")[0]))
    shown = {
        f"{percent(right / 1600)} % ({'–'.join(percent(bound) for bound in wilson_interval(right / 1600, 1600))})"
        for right in (near - 1, near, near + 1)
    }
    assert row[1] in shown


def test_columns_of_the_list_of_runs_are_the_documented_ones() -> None:
    page = (ROOT / "docs/command_line.md").read_text("utf-8")
    _, _, table = page.partition("| column | features | classifier |\n|---|---|---|\n")
    assert re.findall(r"^\| `([^`]+)` \|", table.partition("\n\n")[0], re.MULTILINE) == list(HEADLINES)
