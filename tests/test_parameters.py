"""Parameters of the command line reach nodes and catalog unchanged, or are refused on one line."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import fsspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.framework.context import KedroContext
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from byol_kedro.errors import UserError
from byol_kedro.files.paths import expand_or_address
from byol_kedro.runs.config_loader import ConfigLoader
from byol_kedro.settings import CONFIG_LOADER_ARGS
from tests.support.kedro_runs import ROOT, Outcome, artifacts, error_of
from tests.support.shard_files import png

Run = Callable[..., Outcome]
# Each of them means something in YAML, to OmegaConf, to fsspec, to Kedro, in a pattern of files, or on another system.
MEANINGFUL = [
    "#", "a #2", ":", "a: b", "a:b", "@x", "[a", "[a]", "{a: 1}", "None", "~", "~/x", "1_000", "010", "1e-3", ".5",
    "1:30", "0x10", "yes", "off", "true", "2024-01-01", "ä", "日本", "👩\u200d💻", "x" * 99, "'a'", '"a', "&a", "*a",
    "!a", "|", ">", "%a", "`a`", "- a", "---", "...", "?", "=", "a=b", "a\\", "/", "//a/b", "..", "C:/x", "C:\\x",
    "c:x", "a::b", "$x", "a%20b", "nan", ".inf", "-1", "1.0", "NULL", "a\u00a0b", "\u200b", "\ufeff", "e\u0301",
    "run[1]",
]  # fmt: skip
REFUSED = [
    "${", "${x}", "${oc.env:HOME}", "???", " a", "a ", "", "a\nb", "a\tb", "\x00", "\x1b[31m", "\u2028", "\ud800",
    "a,b", "a,", ",", "~nobody_has_this_name/x", "file:///x", "file:/x", "memory://x", "s3://b/x", "zip::s3://b",
    "\\\\a\\b",
]  # fmt: skip


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap_project(ROOT)
    monkeypatch.chdir(ROOT)


def read(*words: str) -> dict[str, Any]:
    """Parse the parameters of `kedro run`; raises ClickException for a user error."""
    from byol_kedro.cli import run  # noqa: PLC0415  (the project has to be bootstrapped first)

    return run.make_context("run", list(words)).params["params"]


def context_of(params: dict[str, Any]) -> KedroContext:
    context = KedroSession.create(ROOT, env="test", runtime_params=params).load_context()
    context._pipelines_to_validate = []  # which would import torch
    return context


def arrived(text: str, *names: str) -> list[str]:
    """The folders `names` in the catalog for `--params name=text`."""
    catalog = context_of(read(*(f"--params={name}={text}" for name in names))).catalog
    data_root = str(catalog.get("encoder")._filepath).removesuffix("/06_models/encoder.safetensors")
    return [data_root if name == "data_root" else str(catalog.get("new_images")._root) for name in names]


def same_place(found: str, text: str) -> bool:
    return Path(found or "/") == ROOT / os.path.expanduser(text)  # noqa: PTH111  (pathlib refuses what it cannot expand)


@pytest.mark.parametrize("text", MEANINGFUL)
def test_folder_on_the_command_line_is_unchanged(text: str) -> None:
    data_root, predict_root = arrived(text, "data_root", "predict_root")
    assert same_place(data_root, text)
    assert same_place(predict_root, text)


@pytest.mark.parametrize("name", ["data_root", "predict_root"])
@pytest.mark.parametrize("text", REFUSED)
def test_invalid_folder_is_a_user_error(name: str, text: str) -> None:
    with pytest.raises((UserError, click.ClickException)) as caught:
        arrived(text, name)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value)


def outcome_of(name: str, text: str) -> tuple[str | None, str]:
    """The value, or None and the error message."""
    try:
        return arrived(text, name)[0], ""
    except (UserError, click.ClickException) as error:
        return None, str(error)


@settings(max_examples=settings.default.max_examples // 4)  # each starts a session
@given(st.text(min_size=1, max_size=40), st.sampled_from(["data_root", "predict_root"]))
def test_any_string_is_unchanged_or_a_user_error(text: str, name: str) -> None:
    found, line = outcome_of(name, text.replace(",", "\\,"))
    if found is None:
        assert len(line.splitlines()) == 1
    elif text != "null":
        assert same_place(found, text)


@settings(max_examples=settings.default.max_examples // 8)
@given(st.text(min_size=1, max_size=12) | st.sampled_from(MEANINGFUL), st.sampled_from(["data_root", "predict_root"]))
def test_any_empty_folder_is_a_user_error(text: str, name: str) -> None:
    from byol_kedro.cli import run  # noqa: PLC0415  (the project has to be bootstrapped first)

    elsewhere = "--params=data_root=/nowhere" if name == "predict_root" else "--params=seed=1"
    words = ["--env=test", "--pipelines=predict", elsewhere, f"--params={name}={text}"]
    result = CliRunner().invoke(run, words)
    assert isinstance(result.exception, SystemExit), result.exception
    assert error_of(Outcome(result.exit_code, result.output))


def test_backslash_escapes_a_comma() -> None:
    assert read(r"--params=raw_root=/a\,b=1,seed=2") == {"raw_root": "/a,b=1", "seed": "2"}


def test_repeated_params_are_merged() -> None:
    words = ("--params=seed=1", "--params", "pretrain.epochs=3,data_root=x\\", "--params=pretrain.batch_size=4")
    assert read(*words) == {"seed": "1", "data_root": "x\\", "pretrain": {"epochs": "3", "batch_size": "4"}}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--params=seed=1,seed=2"], "seed is given twice"),
        (["--params=seed=1", "--params=seed=2"], "seed is given twice"),
        (["--params=pretrain.epochs=3,pretrain=4"], "pretrain is given twice"),
        (["--params=pretrain=4,pretrain.epochs=3"], "pretrain.epochs is given twice"),
        (["--params=raw_root=/a,tensorboard"], "found 'tensorboard', expected name=value"),
        (["--params=seed:3"], "found 'seed:3', expected name=value"),
        (["--params==3"], "'' is not a parameter name"),
        (["--params=pretrain.=3"], "'pretrain.' is not a parameter name"),
        (["--params=pretrain..epochs=3"], "'pretrain..epochs' is not a parameter name"),
        ([f"--params={'a.' * 5000}a=3"], ".a' is not a parameter name"),
    ],
)
def test_malformed_params_are_a_user_error(words: list[str], expected: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        read(*words)
    assert expected in caught.value.message
    assert len(caught.value.message.splitlines()) == 1


def loaded(params: dict[str, Any], name: str) -> Any:
    """The value that nodes get for `params:<name>`."""
    return context_of(params).catalog.load(f"params:{name}")


@pytest.mark.parametrize(
    ("typed", "name", "expected"),
    [
        ("seed=1.0", "seed", 1),
        ("seed=010", "seed", 10),
        ("seed=1_000", "seed", 1000),
        ("seed= 7", "seed", 7),
        ("pretrain.optimizer.lr=1", "pretrain.optimizer.lr", 1.0),
        ("pretrain.optimizer.lr=.5", "pretrain.optimizer.lr", 0.5),
        ("pretrain.optimizer.lr=1e-3", "pretrain.optimizer.lr", 0.001),
        ("pretrain.resume=off", "pretrain.resume", False),
        ("tensorboard=true", "tensorboard", True),
        ("devices=auto", "devices", "auto"),
        ("devices=2", "devices", "2"),
        ("pretrain.recipe=2024-01-01", "pretrain.recipe", "2024-01-01"),
        ("pretrain.recipe=010", "pretrain.recipe", "010"),
        ("pretrain.recipe=yes", "pretrain.recipe", "yes"),
        ("pretrain.checkpoint.steps=null", "pretrain.checkpoint.steps", None),
        ("pretrain.checkpoint.steps=5", "pretrain.checkpoint.steps", 5),
        ("pair_model.widths=256-64", "pair_model.widths", [256, 64]),
        (r"pair_model.widths=[256\,64]", "pair_model.widths", [256, 64]),
        (r"probes.few_labels.counts=[1\,5]", "probes.few_labels.counts", [1, 5]),
        (r"pretrain.views.first.scale=[0.5\,1]", "pretrain.views.first.scale", [0.5, 1.0]),
        ("references.mine=resnet18.tv_in1k", "references.mine", "resnet18.tv_in1k"),
    ],
)
def test_nodes_get_validated_values(typed: str, name: str, expected: Any) -> None:
    found = loaded(read(f"--params={typed}"), name)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("typed", "epochs", "steps"),
    [
        ("seed=1", 2, None),
        ("pretrain.steps=5", None, 5),
        ("pretrain.epochs=3", 3, None),
        ("pretrain.steps=5,pretrain.epochs=null", None, 5),
        ("pretrain.steps=null", 2, None),
    ],
)
def test_the_length_on_the_command_line_replaces_that_of_the_recipe(
    typed: str, epochs: int | None, steps: int | None
) -> None:
    found = loaded(read(f"--params={typed}"), "pretrain")
    assert (found["epochs"], found["steps"]) == (epochs, steps)


@pytest.mark.parametrize(
    ("base", "recipe", "typed", "expected"),
    [
        ("epochs: 80, steps: null", "steps: 7", {}, (None, 7)),
        ("epochs: 80, steps: null", "steps: 7", {"epochs": "3"}, (3, None)),
        ("epochs: 80, steps: null", "epochs: 3", {"steps": 7}, (None, 7)),
        ("epochs: null, steps: 9", "epochs: 3", {}, (3, None)),
        ("epochs: null, steps: 9", "batch_size: 4", {"epochs": 3}, (3, None)),
        ("epochs: 80, steps: null", "epochs: null, steps: 7", {}, (None, 7)),
    ],
)
def test_the_length_of_a_recipe_replaces_that_of_base(
    tmp_path: Path, base: str, recipe: str, typed: dict[str, Any], expected: tuple[int | None, int | None]
) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    file = tmp_path / "conf/base/parameters_pretrain.yml"
    length = re.compile(r"^  epochs: 80 .*\n  steps: null .*\n", re.MULTILINE)
    text, replaced = length.subn("".join(f"  {item}\n" for item in base.split(", ")), file.read_text("utf-8"))
    assert replaced == 1
    file.write_text(text, "utf-8")
    file = tmp_path / "conf/local/parameters.yml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"pretrain: {{{recipe}}}", "utf-8")
    loader = ConfigLoader(str(tmp_path / "conf"), None, {"pretrain": typed}, **CONFIG_LOADER_ARGS)
    found = loader["parameters"]["pretrain"]
    assert (found["epochs"], found["steps"]) == expected


def test_nodes_get_validated_values_from_python() -> None:
    found = loaded({"seed": 1.0, "pretrain": {"optimizer": {"lr": 1}}}, "seed")
    assert (found, type(found)) == (1, int)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("seed=1:30", "seed: found '1:30', should be a valid integer"),
        ("seed=true", "seed: found 'true', should be a valid integer"),
        ("seed=0x10", "seed: found '0x10', should be a valid integer"),
        ("seed=1.5", "seed: found 1.5, should be a valid integer"),
        ("seed=1e3", "seed: found 1e3, should be a valid integer"),
        ("seed=", "seed: found '', should be a valid integer"),
        ("seed=null", "seed: found None, should be a valid integer"),
        ("pretrain.epochs=99999999999999999999", "should be less than 2147483648"),
        ("pretrain.optimizer.lr=nan", "pretrain.optimizer.lr: found 'nan', should be a finite number"),
        ("pretrain.optimizer.lr=1e400", "should be a finite number"),
        ("pretrain.epochs=3,pretrain.steps=7", "pretrain: found epochs 3 and steps 7, expected exactly one of them"),
        ("pretrain.epochs=null", "pretrain: found neither epochs nor steps, expected exactly one of them"),
        ("pretrain.optimizer.warmup=2", "pretrain.optimizer.warmup: found 2, should be less than 1"),
        ("pretrain.resume=maybe", "pretrain.resume: found 'maybe', should be a valid boolean"),
        ("pretrain.views=3", "pretrain.views: found 3, should be a valid dictionary"),
        ("pretrain.views.first.scale.x=3", "pretrain.views.first.scale: a list in one file and a block"),
        ("probes.few_labels.counts=[1", "probes.few_labels.counts: found '[1', expected a list such as [1,2]"),
        ("probes.few_labels.counts=" + 5000 * "[", "expected a list such as [1,2]"),
        ("raw_url=http://[", "raw_url: found 'http://[', invalid IPv6 URL"),
        ("raw_url=http://host:99999/x", "raw_url: found 'http://host:99999/x', port out of range"),
        (
            "pair_model.pairs.column=${x}",
            "--params pair_model.pairs.column: found '${x}', expected a value",
        ),
    ],
)
def test_invalid_parameter_is_a_user_error(kedro_run: Run, tmp_path: Path, typed: str, expected: str) -> None:
    assert expected in error_of(kedro_run("--pipelines=report", params=typed))
    assert not artifacts(tmp_path)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"seed": True}, "seed: found True, a boolean is not allowed here"),
        ({"pretrain": {"optimizer": {"lr": False}}}, "pretrain.optimizer.lr: found False, a boolean"),
        ({"raw_root": 2024}, "raw_root: found 2024, should be a valid string; in a file of conf/, put it in quotes"),
        ({"raw_root": None}, "raw_root: found None, should be a valid string"),
    ],
)
def test_values_in_files_are_not_converted(params: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        context_of(params)


def test_whole_float_becomes_an_integer(kedro_run: Run, tmp_path: Path) -> None:
    outcome = kedro_run("--pipelines=ingest", params="seed=1.0,ingest.image_size=16.0")
    assert outcome.exit_code == 0, outcome.output
    (manifest,) = tmp_path.glob("08_reporting/run_manifest.json/*/*.json")
    parameters = json.loads(manifest.read_text("utf-8"))["parameters"]
    assert json.dumps([parameters["seed"], parameters["ingest"]["image_size"]]) == "[1, 16]"


def test_too_long_folder_name_is_a_user_error(kedro_run: Run, tmp_path: Path) -> None:
    message = error_of(kedro_run("--pipelines=ingest", params=f"data_root={tmp_path}/{'x' * 300}"))
    assert "File name too long" in message
    assert not artifacts(tmp_path)


def test_images_behind_an_address_are_ingested(kedro_run: Run, tmp_path: Path) -> None:
    for number in range(4):
        fsspec.filesystem("memory").pipe_file(f"/params/train/{number % 2}/{number}.png", png(number))
    outcome = kedro_run("--pipelines=ingest", params="source=folder,raw_root=memory://params,ingest.image_size=8")
    assert outcome.exit_code == 0, outcome.output
    (manifest,) = tmp_path.glob("08_reporting/run_manifest.json/*/*.json")
    assert json.loads(manifest.read_text("utf-8"))["parameters"]["raw_root"] == "memory://params"
    line = error_of(kedro_run("--pipelines=ingest", params="raw_credentials=nowhere"))
    assert "Unable to find credentials 'nowhere'" in line


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://user:word@host/x", "an address without user, password and query expected"),
        ("https://host/x?token=1", "an address without user, password and query expected"),
        ("s3://", "an address such as s3://bucket/images expected"),
        ("file:///x", "a local path such as /disks/new expected, not an address"),
    ],
)
def test_addresses_without_secrets_are_expected(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        expand_or_address(text)
    assert expand_or_address("s3://bucket/a@b") == "s3://bucket/a@b"
    assert expand_or_address("~/x") == str(Path.home() / "x")


def test_number_is_a_valid_folder_name(kedro_run: Run) -> None:
    outcome = kedro_run("--pipelines=ingest", params="source=folder,raw_root=2024")
    assert f"raw_root {ROOT / '2024'}" in error_of(outcome)
