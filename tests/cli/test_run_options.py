"""Options of `kedro run` are used, or refused on one line."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from kedro.framework.startup import bootstrap_project

from tests.support.kedro_runs import ROOT, Chain, Outcome, artifacts, error_of, type_kedro_run

Run = Callable[..., Outcome]
EXAMPLE = "expected ENTRY:RUN_ID, such as encoder:2026-01-31T12.00.00.000Z"


def read(*words: str) -> dict[str, Any]:
    """Parse the arguments of `kedro run`."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import run  # noqa: PLC0415  (the project has to be bootstrapped first)

    return run.make_context("run", list(words)).params


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], str]:
    """Write a --config file; returns the option."""

    def write(text: str) -> str:
        (tmp_path / "run.yml").write_text(text, "utf-8")
        return f"--config={tmp_path}/run.yml"

    return write


def test_repeated_options_are_joined() -> None:
    words = ["--pipelines=ingest", "--pipelines", "pretrain", "--nodes=a", "-n", "b", "--load-versions=encoder:1"]
    options = read(*words, "--load-versions=pca:2")
    assert options["pipelines"] == ["ingest", "pretrain"]
    assert options["node_names"] == ["a", "b"]
    assert options["load_versions"] == {"encoder": "1", "pca": "2"}


@pytest.mark.parametrize("option", ["--pipelines", "--nodes", "--tags", "--to-outputs", "--load-versions"])
def test_empty_option_is_a_user_error(option: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        read(f"{option}= ,")
    assert caught.value.message == f"{option} is empty; give at least one name or remove the option"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--runner=Nope"], "--runner: there is no runner 'Nope'; expected SequentialRunner or ThreadRunner"),
        (["--runner="], "--runner: there is no runner ''"),
        (["--runner=os.system"], "--runner: there is no runner 'os.system'"),
        (["--runner=no.such.module"], "--runner: there is no runner 'no.such.module'"),
        (["--runner-params=@x"], "--runner-params: found '@x', expected name=value"),
        (["--runner-params=workers=2"], "--runner-params: SequentialRunner has no workers"),
        (
            ["--runner=ThreadRunner", "--runner-params=max_workers=x"],
            "max_workers: found 'x', expected a positive",
        ),
        (
            ["--runner=ThreadRunner", "--runner-params=max_workers=0"],
            "max_workers: found 0, expected a positive",
        ),
        (["--load-versions=encoder:../../x"], f"--load-versions: found 'encoder:../../x', {EXAMPLE}"),
        (["--load-versions=encoder"], f"--load-versions: found 'encoder', {EXAMPLE}"),
        (["--load-versions=encoder:.."], f"--load-versions: found 'encoder:..', {EXAMPLE}"),
        (["--load-versions=encoder:1,encoder:2"], "--load-versions: encoder is given twice"),
        (["--load-versions=params:seed:1"], "--load-versions: there is no catalog entry 'params'"),
        (["--load-versions=latent_mlp:1"], "no catalog entry 'latent_mlp'; did you mean pair_model?"),
        (["--load-versions=encodr:1"], "no catalog entry 'encodr'; did you mean encoder?"),
        (
            ["--tags=reports"],
            "--tags: the requested pipelines have no tag 'reports'; did you mean report?",
        ),
        (["--nodes=train"], "no node 'train'; did you mean pair_model.train or pretrain.train?"),
        (["--pipelines=ingest", "--nodes=pretrain.train"], "--nodes: the requested pipelines have no node"),
        (["--from-nodes=nosuch"], "--from-nodes: the requested pipelines have no node 'nosuch'"),
        (["--from-inputs=image_train"], "no catalog entry 'image_train'; did you mean images_train?"),
        (["--to-outputs=latent_map"], "no catalog entry 'latent_map'; did you mean pair_embedding_map?"),
        (["--namespaces=pretrian"], "--namespaces: the requested pipelines have no namespace 'pretrian'; did you mean"),
        (["--pipelines=latent"], "--pipelines: there is no pipeline 'latent'; did you mean pair_model?"),
        (["--pipeline=ingest", "--pipelines=report"], "cannot be used together"),
        (["--async", "--runner-params=is_async=false"], "cannot be used together"),
        (["--conf-source=/nosuch"], "--conf-source: /nosuch does not exist"),
        (["--conf-source="], "--conf-source: a path must not be empty"),
        (["--conf-source=s3://bucket/conf"], "--conf-source s3://bucket/conf: Install s3fs"),
        (["--config=/nosuch"], "--config: the file /nosuch does not exist"),
    ],
)
def test_invalid_option_is_a_user_error(kedro_run: Run, tmp_path: Path, words: list[str], expected: str) -> None:
    assert expected in error_of(kedro_run(*words))
    assert not artifacts(tmp_path)


def test_unused_pin_is_warned_about(chain_copy: Path, caplog) -> None:
    words = ["--load-versions=raw_images:2026-01-31T12.00.00.000Z,pca:2026-01-31T12.00.00.000Z"]
    with caplog.at_level(logging.WARNING):
        assert type_kedro_run(chain_copy, "--pipelines=report", *words).exit_code == 0
    for name in ("raw_images", "pca"):
        assert f"--load-versions {name} has no effect: this run reads no version of it" in caplog.messages


def test_used_pin_is_not_warned_about(chain_copy: Path, chain: Chain, caplog) -> None:
    (version,) = {path.parent.name for path in chain.versions("encoder")}
    with caplog.at_level(logging.WARNING):
        type_kedro_run(chain_copy, "--pipelines=extract", f"--load-versions=encoder:{version}")
    assert not [message for message in caplog.messages if "no effect" in message]


def test_config_file_sets_options(config: Callable[[str], str]) -> None:
    text = "run:\n  env: test\n  pipelines: [ingest, pretrain]\n  nodes: a\n  only-missing-outputs: true\n"
    options = read(
        config(text + "  load_versions: pca:2\n  params: {seed: 3, pretrain.epochs: 4, pair_model: {widths: [8]}}\n")
    )
    assert (options["env"], options["pipelines"], options["node_names"]) == ("test", ["ingest", "pretrain"], ["a"])
    assert options["only_missing_outputs"] is True
    assert options["load_versions"] == {"pca": "2"}
    assert options["params"] == {"seed": 3, "pretrain": {"epochs": 4}, "pair_model": {"widths": [8]}}


@pytest.mark.parametrize("turned", [False, True])
def test_command_line_overrides_the_config_file(config: Callable[[str], str], *, turned: bool) -> None:
    file = config("run: {env: test, params: {seed: 3, pretrain: {epochs: 4, batch_size: 5}}}")
    words = [file, "--env=sample", "--params=pretrain.epochs=9"]
    options = read(*(reversed(words) if turned else words))
    assert options["env"] == "sample"
    assert options["params"] == {"seed": 3, "pretrain": {"epochs": "9", "batch_size": 5}}


def test_run_with_a_config_file(kedro_run: Run, tmp_path: Path, config: Callable[[str], str]) -> None:
    outcome = kedro_run(config("run: {pipelines: ingest, params: {ingest: {photos: {test: 3}}}}"))
    assert outcome.exit_code == 0, outcome.output
    assert [path for path in tmp_path.glob("*/images_test.npy/*/images_test.json") if '"photos"' in path.read_text()]


def test_installed_package_reads_the_config_file(config: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = config("run: {env: nosuch}")
    monkeypatch.setattr(sys, "argv", ["/x/byol_kedro/__main__.py", file])
    monkeypatch.chdir(ROOT)
    from byol_kedro.__main__ import main  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.raises(click.ClickException) as caught:
        main([file], standalone_mode=False)
    assert "--env nosuch: there is no environment conf/nosuch" in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a block run, such as run: {env: sample, params: {seed: 1}}"),
        ("params: {seed: 1}", "expected a block run"),
        ("run: 3", "expected a block run"),
        ("- run", "expected names and values, name: value; found a list"),
        ("run:\n\tenv: test", ", line 2: found character that cannot start any token; indent with spaces"),
        ("run: {pipline: ingest}", "run.pipline: there is no such option; did you mean pipeline?"),
        ("run: {config: other.yml}", "run.config: there is no such option"),
        ("run: {params: 3}", "run.params: found '3', expected name=value"),
        ("run: {params: {sede: 3}}", "parameters: sede: there is no such parameter; did you mean seed?"),
        ("run: {params: {seed: true}}", "seed: found True, a boolean is not allowed here"),
        ("run: {params: {seed: '${x}'}}", "--params seed: found '${x}'"),
        ("run: {params: {seed: 1, seed: 2}}", "line 1: found duplicate key seed"),
        (
            "run: {load_versions: {encoder: x}}",
            "found {'encoder': 'x'}, expected a string or a list",
        ),
        ("run: {load_versions: encoder}", f"--load-versions: found 'encoder', {EXAMPLE}"),
        ("run: {only_missing_outputs: maybe}", "run.only_missing_outputs: found 'maybe', expected true or false"),
        ("run: {runner: Nope}", "--runner: there is no runner 'Nope'"),
        ("run: {1: 2}", "expected names and values, name: value; found the name 1"),
    ],
)
def test_invalid_config_file_is_a_user_error(
    kedro_run: Run, config: Callable[[str], str], text: str, expected: str
) -> None:
    assert expected in error_of(kedro_run(config(text)))
