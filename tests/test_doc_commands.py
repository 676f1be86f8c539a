"""Every command in the documentation is accepted, and a test runs one like it."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI
from kedro.framework.startup import bootstrap_project

from byol_kedro.runs.config_loader import ConfigLoader
from byol_kedro.settings import CONFIG_LOADER_ARGS
from tests.support.kedro_runs import ROOT

PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "conf/README.md")] + sorted(ROOT.glob("docs/*.md"))
PROGRAMS = ("kedro", "python", "make", "pip", "git", "cd", "source", "tensorboard", "pre-commit")
PLACEHOLDERS = {"=FOLDER": "=folder", "=NAME": "=sample", "ADDRESS": "address", "…": "value"}

# What the documentation tells its readers to type, and the test that runs a similar command.
TESTED_IN = {
    "kedro run": "tests/integration/test_chain.py",
    "kedro run --pipelines=evaluate": "tests/integration/test_chain.py",
    "kedro run --pipelines=curate,report": "tests/pipelines/curate/test_nodes.py",
    "kedro run --pipelines=explore": "tests/runs/test_summary.py",
    "kedro run --pipelines=extract": "tests/integration/test_bad_input.py",
    "kedro run --pipelines=extract,pair_model": "tests/integration/test_folder_of_images.py",
    "kedro run --pipelines=import_encoder,evaluate": "tests/integration/test_import_run.py",
    "kedro run --pipelines=ingest,import_encoder,evaluate": "tests/integration/test_import_run.py",
    "kedro run --pipelines=ingest": "tests/integration/test_folder_of_images.py",
    "kedro run --pipelines=ingest,pretrain": "tests/integration/test_chain.py",
    "kedro run --pipelines=ingest,pretrain,extract,pair_model": "tests/integration/test_chain.py",
    "kedro run --pipelines=pair_model": "tests/integration/test_folder_of_images.py",
    "kedro run --pipelines=pretrain,evaluate": "tests/integration/test_chain.py",
    "kedro run --pipelines=predict": "tests/integration/test_predict_run.py",
    "kedro run --pipelines=report": "tests/integration/test_chain.py",
    "kedro run --only-missing-outputs": "tests/integration/test_only_missing_outputs.py",
    "kedro export": "tests/export/test_export.py",
    "kedro export-features": "tests/cli/test_export_features.py",
    "kedro results": "tests/cli/test_results_commands.py",
    "kedro similar": "tests/cli/test_similar_command.py",
    "kedro viz": "tests/test_project.py",
    "kedro registry": "tests/test_doc_commands.py",
    "kedro catalog": "tests/test_doc_commands.py",
    "kedro jupyter": "tests/test_notebook.py",
    "python -m byol_kedro": "tests/test_package.py",
}


def code_of(text: str) -> Iterator[str]:
    """The lines of indented blocks and of fenced blocks without a language, and commands within a sentence."""
    fenced = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    shell = [block for language, block in fenced if language in {"", "bash", "console", "shell"}]
    yield from (line.strip() for block in shell for line in block.splitlines())
    yield from (line.strip() for line in re.findall(r"^    (?! ).*$", text, re.MULTILINE))
    yield from re.findall(r"`(kedro run [^`]+|python benchmarks/[^`]+)`", text.replace("\n", " "))


def commands() -> list[tuple[str, str]]:
    """Every command of every page, as (page, command), without its comment."""
    found = []
    for page in PAGES:
        for line in code_of(page.read_text("utf-8")):
            text = re.sub(r"\s{2,}#.*", "", line).removeprefix(".venv/bin/")
            if text.split(" ")[0] in PROGRAMS:
                found.append((str(page.relative_to(ROOT)), text))
    return found


def words_of(command: str) -> list[str]:
    for placeholder, word in PLACEHOLDERS.items():
        command = command.replace(placeholder, word)
    return shlex.split(command)


@cache
def kedro() -> Any:
    bootstrap_project(ROOT)
    return KedroCLI(ROOT)


def kedro_command(name: str) -> click.Command:
    with kedro().make_context("kedro", [name], resilient_parsing=True) as context:
        command = kedro().get_command(context, name)
    assert command is not None, f"kedro has no command {name}"
    return command


def parsed(command: click.Command, name: str, words: Sequence[str]) -> click.Context:
    """The context of a command, or of the command of a group, with these words; a usage error raises."""
    context = command.make_context(name, list(words))
    if not isinstance(command, click.Group) or not (rest := [*context._protected_args, *context.args]):
        return context
    below, found, rest = command.resolve_command(context, rest)
    assert found is not None
    return parsed(found, below or "", rest)


def accept_kedro(words: Sequence[str]) -> str:
    """Parse `kedro …`, check the parameters of a run, and say what kind of command it is."""
    name, *rest = words
    options = parsed(kedro_command(name), name, [word for word in rest if word != "--help"]).params
    if name == "viz" and rest:
        assert rest[0] == "run", "Kedro-Viz ignores options of `kedro viz` without `run`"
    if name != "run":
        return f"kedro {name}"
    accept_parameters(options)
    if options["only_missing_outputs"]:
        return "kedro run --only-missing-outputs"
    pipelines = ",".join(options["pipelines"] or ())
    return f"kedro run --pipelines={pipelines}" if pipelines else "kedro run"


def accept_parameters(options: dict[str, Any]) -> None:
    """The environment is there, and its parameters with those of --params are valid."""
    environment = options["env"] or "local"
    assert (ROOT / "conf" / environment).is_dir(), environment
    assert ConfigLoader(str(ROOT / "conf"), environment, options["params"], **CONFIG_LOADER_ARGS)["parameters"]


def accept_make(words: Sequence[str]) -> None:
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), words[1]


def accept_python(words: Sequence[str]) -> None:
    """A module of ours or pytest, or a script whose options are in it."""
    if words[1] == "-m":
        if words[2] == "byol_kedro":
            accept_kedro(words[3:])
        else:
            assert words[2] in {"pytest", "pip", "http.server"}
        return
    script = (ROOT / words[1]).read_text("utf-8")
    assert [word for word in words[2:] if word.startswith("--") and f'"{word}"' not in script] == []


def accept_pip(words: Sequence[str]) -> None:
    """`pip install` with extras that the package has."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = [name for text in re.findall(r"\[(.*?)\]", " ".join(words)) for name in text.split(",")]
    assert words[1] == "install"
    assert set(named) <= set(extras)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that commands name: run.yml as docs/recipes.md shows it, and conf."""
    (text,) = re.findall(r"```yaml\n(run:.*?)```", (ROOT / "docs/recipes.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "run.yml").write_text(text)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda value: value.replace("/", "|"))
def test_command_is_accepted(page: str, command: str) -> None:
    program, *_ = words = words_of(command)
    if program == "kedro":
        assert accept_kedro(words[1:]) in TESTED_IN, page
    elif program in {"make", "python", "pip"}:
        {"make": accept_make, "python": accept_python, "pip": accept_pip}[program](words)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("registry describe ingest", "Nodes"),
        ("catalog describe-datasets --pipeline=ingest", "- data_summary"),
        ("catalog resolve-patterns", "images_train"),
    ],
)
def test_kedro_shows_the_project(words: str, shown: str) -> None:
    name, *rest = words.split(" ")
    outcome = CliRunner().invoke(kedro_command(name), rest, obj=bootstrap_project(ROOT))
    assert outcome.exit_code == 0, outcome.output
    assert shown in outcome.output


def test_tests_of_the_commands_exist() -> None:
    assert [name for name in TESTED_IN.values() if not (ROOT / name).is_file()] == []


def test_commands_are_found() -> None:
    found = [command for _, command in commands()]
    assert {"make sample", "kedro run", "kedro results --env=sample"} <= set(found)
    assert len(found) > 60
