"""The project as a whole: imports, pipelines, environments and Kedro-Viz."""

import re
import subprocess

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import bootstrap_project

from byol_kedro.byol.schedule import Plan
from byol_kedro.pipeline_registry import PARTS, build_pipelines
from byol_kedro.runs.validation import validated_parameters
from byol_kedro.settings import CONFIG_LOADER_ARGS
from tests.support.kedro_runs import ROOT, Chain, modules_after

ENVIRONMENTS = sorted(path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "local")
STAGES = (*PARTS, "curate", "predict", "explore", "import_encoder")
PIPELINES = {"__default__", *STAGES, "evaluate"}


def test_importing_the_package_does_not_import_torch() -> None:
    assert "torch" not in modules_after("import byol_kedro")


def test_help_does_not_import_torch() -> None:
    code = """
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI
from pathlib import Path
result = CliRunner().invoke(KedroCLI(Path.cwd()), ["run", "--help"])
assert "--load-versions" in result.output, result.output
"""
    assert "torch" not in modules_after(code)


def test_a_run_of_ingest_does_not_import_torch(tmp_path) -> None:
    code = f"""
from tests.support.kedro_runs import type_kedro_run
outcome = type_kedro_run(__import__("pathlib").Path({str(tmp_path)!r}), "--pipelines=ingest")
assert outcome.exit_code == 0, outcome.output
"""
    assert "torch" not in modules_after(code)


def test_registered_pipelines() -> None:
    bootstrap_project(ROOT)
    from kedro.framework.project import pipelines  # noqa: PLC0415  (the project has to be bootstrapped first)

    assert set(pipelines) == PIPELINES


@pytest.mark.parametrize("name", STAGES)
def test_pipelines_are_namespaces_without_prefixed_entries(name: str) -> None:
    pipeline = build_pipelines([name])[name]
    assert {node.namespace for node in pipeline.nodes} == {name}
    assert all(node.name.startswith(f"{name}.") and node.tags for node in pipeline.nodes)
    assert not [entry for entry in pipeline.datasets() if entry.startswith((f"{name}.", f"params:{name}.{name}"))]


@pytest.mark.parametrize("name", STAGES)
def test_node_functions_start_with_a_sentence(name: str) -> None:
    for node in build_pipelines([name])[name].nodes:
        first = (node.func.__doc__ or "").splitlines()[0]
        assert first.endswith("."), node.name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_parameters_of_every_environment_are_valid(environment: str) -> None:
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    assert validated_parameters(loader)


@pytest.mark.parametrize(
    ("environment", "images", "steps", "warmup"),
    [
        ("base", 105_000, 32_800, 820),  # 2 of 80 epochs
        ("sample", 7_200, 448, 56),
        ("folder", 21_340, 4_000, 332),  # the trainings in docs/results.md
        ("paper", 105_000, 25_000, 250),  # 10 of 1000 epochs
        ("pytorch_byol", 105_000, 131_200, 0),
    ],
)
def test_steps_and_warmup_of_a_recipe_on_its_usual_data(environment: str, images: int, steps: int, warmup: int) -> None:
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    plan = Plan(validated_parameters(loader).pretrain, images, seed=0)
    assert (plan.steps, plan.warmup) == (steps, warmup)


def test_environments_have_different_data_roots() -> None:
    loaders = [OmegaConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS) for env in ENVIRONMENTS]
    roots = [loader["globals"]["data_root"] for loader in loaders]
    assert len(set(roots)) == len(ENVIRONMENTS)


@pytest.fixture(scope="module")
def viz(chain: Chain):
    """A client of Kedro-Viz for the artifacts of a complete run."""
    from fastapi.testclient import TestClient  # noqa: PLC0415  (only this fixture needs it)
    from kedro_viz.api.apps import create_api_app_from_project  # noqa: PLC0415
    from kedro_viz.server import load_and_populate_data  # noqa: PLC0415

    load_and_populate_data(ROOT, env="test", extra_params={"data_root": str(chain.data_root)})
    return TestClient(create_api_app_from_project(ROOT))


def test_kedro_viz_has_pipelines_and_layers(viz) -> None:
    graph = viz.get("/api/main").json()
    assert {pipeline["id"] for pipeline in graph["pipelines"]} == PIPELINES
    assert graph["layers"] == ["raw", "images", "encoder", "latents", "evaluation", "report"]


def test_kedro_viz_opens_with_one_box_for_each_pipeline(viz) -> None:
    graph = viz.get("/api/main").json()
    boxes = [node["name"] for node in graph["nodes"] if node["type"] == "modularPipeline"]
    assert sorted(boxes) == sorted(PARTS)


@pytest.mark.parametrize(
    "entry",
    ["sample_grid", "results", "top1_bars", "training_curves", "confusion_matrix", "pair_embedding_map",
     "probe_metrics", "encoder", "images_train", "training_history", "pair_embeddings", "report", "results_table"],
)  # fmt: skip
def test_kedro_viz_previews_tables_figures_pages_and_the_sample_grid(viz, entry: str) -> None:
    nodes = {node["name"]: node["id"] for node in viz.get("/api/main").json()["nodes"] if node["type"] == "data"}
    detail = viz.get(f"/api/nodes/{nodes[entry]}").json()
    assert detail["preview"], detail


def test_no_pickle_in_catalog_and_code() -> None:
    assert "pickle" not in (ROOT / "conf/base/catalog.yml").read_text("utf-8").lower()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"pickle\.loads?\b|from pickle import", text), path
        # CIFAR-10's own files are pickles: tests/sources/test_pickled.py.
        assert ("import pickle" in text) == (path.name == "pickled.py"), path


def test_no_large_files_in_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in tracked.stdout.split("\0") if name]
    assert [path for path in files if path.exists() and path.stat().st_size > 600_000] == []
