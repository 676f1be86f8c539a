"""Commands in messages and manifests are equivalent to those that were run."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kedro.framework.startup import bootstrap_project
from PIL import Image

from byol_kedro.runs.command_line import command_line, kedro_run
from tests.support.kedro_runs import ROOT, Chain, Outcome, error_of

PLACE = {"env": None, "conf_source": None, "runtime_params": {}}


def hint(env: str | None = None, params: dict[str, Any] | None = None, **pins: str) -> str:
    """The command for the pipelines ingest and pretrain with the options of a run."""
    return kedro_run(["ingest", "pretrain"], {**PLACE, "env": env, "runtime_params": params or {}}, **pins)


def test_command_without_options_names_only_the_pipelines() -> None:
    assert hint() == "kedro run --pipelines=ingest,pretrain"


def test_command_has_environment_parameters_and_pins_of_the_run() -> None:
    command = hint(
        "sample", {"data_root": "x", "pretrain": {"epochs": 3, "views": {"hflip_prob": 0.5}}}, encoder="2026"
    )
    assert command == (
        "kedro run --pipelines=ingest,pretrain --env=sample "
        "--params=data_root=x,pretrain.epochs=3,pretrain.views.hflip_prob=0.5 --load-versions=encoder:2026"
    )


def test_path_with_spaces_is_quoted() -> None:
    assert "--params=raw_root=/my images" in shlex.split(hint(params={"raw_root": "/my images"}))


def test_installed_package_is_run_with_python_m(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/site-packages/byol_kedro/__main__.py", "--env=test"])
    assert hint() == "python -m byol_kedro run --pipelines=ingest,pretrain"


def test_kedro_env_is_part_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "sample")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kedro", "run", "--params=seed=1"])
    assert command_line({"env": "sample"}) == "kedro run --params=seed=1 --env=sample"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kedro", "run", "--env=test"])
    assert command_line({"env": "test"}) == "kedro run --env=test"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [",", "a,b", "a,b=c", ",seed=1", "\\", "a\\", "a\\,b", "\\\\,", "=", " ", "'", '"', "$HOME", "~/x", "null", "[1,2]"]
)


def as_run_reads(command: str) -> dict[str, Any]:
    """The parameters that `kedro run` parses from a command."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import run  # noqa: PLC0415  (the project has to be bootstrapped first)

    return run.make_context("run", shlex.split(command)[2:]).params["params"]


@given(st.dictionaries(st.sampled_from("abc"), TEXTS | st.dictionaries(st.sampled_from("xyz"), TEXTS, min_size=1)))
def test_any_string_survives_the_command_line(params: dict[str, Any]) -> None:
    assert as_run_reads(hint(params=params)) == params


def test_typed_values_survive_the_command_line_as_strings() -> None:
    params = {"a": None, "b": True, "c": 3, "d": 0.5, "e": [1, 2], "f": {}}
    assert as_run_reads(hint(params=params)) == {"a": "null", "b": "true", "c": "3", "d": "0.5", "e": "[1, 2]"}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the configuration with an additional environment."""
    folder = Path(shutil.copytree(ROOT / "conf", tmp_path / "my conf,2"))
    shutil.copytree(folder / "test", folder / "mine")
    (folder / "mine/globals.yml").write_text(
        f"data_root: {tmp_path}/of conf\nsource: photos\nraw_root: {tmp_path}/raw\n"
    )
    return folder


def typed(*words: str, project: Path = ROOT) -> Outcome:
    """The output of a `kedro` command."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr(sys, "argv", ["/usr/bin/kedro", *words])
        result = CliRunner().invoke(cli, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


def test_suggested_command_makes_the_missing_inputs(tmp_path: Path, conf: Path) -> None:
    place = [
        f"--conf-source={conf}",
        "--env=mine",
        rf"--params=data_root={tmp_path}/a\,seed=3\, b",
        "--params=seed=1.0",
    ]
    message = error_of(typed("run", "--pipelines=pretrain", *place))
    program, *words = shlex.split(message.partition("make it first with: ")[2])
    assert program == "kedro"
    outcome = typed(*words)
    assert outcome.exit_code == 0, outcome.output
    assert [path.name for path in (tmp_path / "a,seed=3, b/02_intermediate").glob("images_*")] != []
    assert not (tmp_path / "of conf").exists()
    after = error_of(typed("run", "--pipelines=probes", *place))
    assert "ingest" not in after.partition("make it first with: ")[2]


def test_results_and_export_accept_conf_source(tmp_path: Path, conf: Path) -> None:
    place = [f"--conf-source={conf}", "--env=mine"]
    assert f"nothing in {tmp_path}/of conf/" in error_of(typed("results", *place))
    assert f"nothing in {tmp_path}/of conf/" in error_of(typed("results", *place, "prune", "--keep=1"))
    assert f"nothing in {tmp_path}/of conf/" in error_of(typed("results", "prune", "--keep=1", *place))
    message = error_of(typed("export", "--format=timm", f"--output={tmp_path}/e.safetensors", *place))
    assert f"there is no encoder in {tmp_path}/of conf/" in message
    assert f"--env=mine '--conf-source={conf}'" in message


def test_predict_command_has_the_conf_source(chain: Chain, conf: Path, tmp_path: Path) -> None:
    shutil.copytree(chain.data_root, tmp_path / "of conf")
    last = typed("run", f"--conf-source={conf}", "--env=mine", "--pipelines=report").lines[-1]
    asked = tmp_path / "asked"
    asked.mkdir()
    Image.new("RGB", (16, 16), "red").save(asked / "a.png")
    words = shlex.split(last.rpartition(": kedro ")[2].replace("FOLDER", str(asked)))
    assert f"--conf-source={conf}" in words
    outcome = typed(*words)
    assert outcome.exit_code == 0, outcome.output
    assert f"{tmp_path}/of conf/07_model_output/predicted_images.parquet" in outcome.output
