"""The Python of the documentation does what it says, as it is written."""

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from kedro.io import Version
from PIL import Image

from byol_kedro.byol.encoder import to_arrays
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.evaluation.metrics import percent, wilson_interval
from byol_kedro.export.write import write
from tests.support.encoders import OLDER
from tests.support.exports import assert_same, frozen, normalized
from tests.support.kedro_runs import ROOT, Chain, type_kedro_run

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```python\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def snippets() -> list[tuple[str, str]]:
    """Every block of Python with its document, without the indentation of a list."""
    return [(path.name, textwrap.dedent(code)) for path in DOCUMENTS for code in BLOCK.findall(path.read_text("utf-8"))]


def executed(document: str, *words: str, run_id: str = OLDER) -> dict[str, Any]:
    """The names that the one snippet of a document with these words leaves."""
    (code,) = (code for name, code in snippets() if name == document and all(word in code for word in words))
    names: dict[str, Any] = {}
    exec(compile(code.replace("<run_id>", run_id), document, "exec"), names)  # our own text
    return names


@pytest.fixture
def place(tmp_path: Path, chain_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the snippets expect it, with the artifacts of two environments and two images."""
    monkeypatch.chdir(tmp_path)
    for environment in ("sample", "folder"):
        (chain_copy / environment).symlink_to(chain_copy)
    for seed, name in enumerate(("cat.jpg", "dog.png")):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(name)
    return tmp_path


def test_all_snippets_are_those_that_are_tried_here() -> None:
    assert [name for name, _ in snippets()] == ["README.md", "artifacts.md", *["predict.md"] * 3]


@pytest.mark.parametrize("document", ["README.md", "predict.md"])
@pytest.mark.usefixtures("place")
def test_an_encoder_is_loaded_from_its_environment(document: str) -> None:
    assert executed(document, "load_encoder")["features"].shape == (2, 512)


def test_the_answers_are_read(place: Path, chain_copy: Path) -> None:
    (place / "new").mkdir()
    (place / "cat.jpg").rename(place / "new" / "cat.jpg")
    (place / "new" / "broken.png").write_text("no image")
    run = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=predict", params=f"predict_root={place}/new"))
    names = executed("predict.md", "read_parquet", run_id=run.versions("predicted_images")[-1].parent.name)
    assert names["features"].shape == (1, 512)
    assert list(names["read"]["path"]) == ["cat.jpg"]


@torch.no_grad()
def test_an_export_of_a_small_stem_is_loaded_by_timm(place: Path) -> None:
    encoder = frozen(stem="small")
    write(encoder, "timm", place / "encoder.safetensors")
    model = executed("predict.md", "conv1")["model"].eval()
    assert_same(model(normalized(encoder)).numpy(), encoder)


@torch.no_grad()
def test_the_artifact_itself_is_loaded_by_timm(place: Path) -> None:
    encoder = frozen()
    folder = place / "data/stl10/06_models/encoder.safetensors"
    saved = Tensors(to_arrays(encoder.model), encoder.header.to_dict())
    TensorsDataset(filepath=str(folder), version=Version(None, OLDER)).save(saved)
    model = executed("artifacts.md", "timm")["model"].eval()
    assert_same(model(normalized(encoder)).numpy(), encoder)


def test_no_environment_has_a_small_stem() -> None:
    files = (ROOT / "conf").glob("*/parameters*.yml")
    parameters = [yaml.safe_load(path.read_text("utf-8")) or {} for path in files]
    stems = [block["pretrain"]["encoder"].get("stem") for block in parameters if "encoder" in block.get("pretrain", {})]
    assert "imagenet" in stems
    assert set(stems) <= {"imagenet", None}


def sample_rows(document: str) -> dict[tuple[str, str, str], str]:
    """Top-1 with its interval by features, classifier and epochs, of the sample's table in a document."""
    section = (ROOT / document).read_text("utf-8").split("| features ")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip(" |").split("|")] for line in section.splitlines()[2:]]
    return {(features, classifier, epochs): top1 for features, classifier, epochs, top1 in rows}


def test_the_readme_has_rows_of_the_samples_table() -> None:
    rows = sample_rows("README.md")
    assert len(rows) == 8
    assert rows.items() <= sample_rows("docs/results.md").items()


@pytest.mark.parametrize("row", sample_rows("docs/results.md").items(), ids=str)
def test_a_row_of_the_samples_table_is_a_share_of_its_test_images(row: tuple[tuple[str, str, str], str]) -> None:
    near = round(16 * float(row[1].split(" %")[0]))
    shown = {
        f"{percent(right / 1600)} % ({'–'.join(percent(bound) for bound in wilson_interval(right / 1600, 1600))})"
        for right in (near - 1, near, near + 1)
    }
    assert row[1] in shown
