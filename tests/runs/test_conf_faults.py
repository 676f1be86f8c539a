"""Errors in files of conf/ are reported on one line with the file."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project

from tests.support.kedro_runs import ROOT, Outcome, error_of

FILES = ("parameters.yml", "globals.yml", "catalog.yml", "credentials.yml")
BROKEN = {
    "seed: 1\nseed: 2": ", line 2: found duplicate key seed",
    "seed: [": ", line 2: did not find expected node content",
    "a: 1\nseed:\n\t1": ", line 3: found character that cannot start any token; indent with spaces, not with tabs",
    '{"seed": 1': ", line 2: did not find expected ',' or '}'",
    "seed: @x": ", line 1: found character that cannot start any token",
    "seed: 'x": ", line 1: found unexpected end of stream",
    "seed: !!python/object:os.system {}": ", line 1: could not determine a constructor for the tag",
    "seed: &x [*x]": ", line 1: YAML recursive aliases are not supported",
    "seed: 1\n---\nseed: 2": ", line 2: but found another document",
    "seed: 1\na: \x01": ", line 2: control characters are not allowed",
    "? [a]\n: b": ", line 1: found unhashable key",
    "- a": ": expected names and values, name: value; found a list",
    "3": ": expected names and values, name: value; Invalid loaded object type: int",
    "null: 1": ": Incompatible key type 'NoneType'",
    "seed: ${": ": seed: no viable alternative",
    "seed: ${nosuch}": ": seed: Interpolation key 'nosuch' not found",
    "seed: ${nope:1}": ": seed: Unsupported interpolation type nope",
    "seed: ${globals:nosuch}": ": seed: Globals key 'nosuch' not found",
    "a: 1\n# \xe4": ", line 2: not UTF-8; save the file in UTF-8",
}
ENTRIES = {
    "encoder: 3": "'encoder' is not a valid dataset configuration",
    "encoder: {filepath: x}": "'type' is missing",
    "encoder: {type: nope.X, filepath: x}": "No module named 'nope'",
    "encoder: {type: byol_kedro.datasets.tensors.TensorsDataset, filepat: x}": "unexpected keyword argument 'filepat'",
    "encoder: {type: pickle.PickleDataset, filepath: x, credentials: nope}": "Unable to find credentials 'nope'",
    "'{x}': {type: pandas.CSVDataset, filepath: '{y}.csv'}": "{'{y}'}",
}
PARAMETERS = {
    "pretrain: [1]": "pretrain: a list in one file and a block of names in another; use the form of conf/base",
    "pretrain: 3": "pretrain: found 3, should be a valid dictionary",
    "pretrain: {views: {first: {scale: {low: 1}}}}": "pretrain.views.first.scale: a list in one file",
    "1: 2": "parameters: 1: there is no such parameter",
    "pretrain: null": "pretrain: found None, should be a valid dictionary",
    "raw_root: 010": "raw_root: found 8, should be a valid string; in a file of conf/, put it in quotes",
    "seed: yes": "seed: found True, a boolean is not allowed here",
    "references: {a: 1}": "references.a: found 1, should be a valid string",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A copy of the configuration, for the test to change."""
    return Path(shutil.copytree(ROOT / "conf", tmp_path / "conf", ignore=lambda *_: {"logging.yml"}))


def run(conf: Path, *words: str) -> Outcome:
    """Run `kedro run --pipelines=report` with the environment local of `conf` and no artifacts."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import run as command  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        words = ("--pipelines=report", f"--conf-source={conf}", f"--params=data_root={conf.parent}/data", *words)
        result = CliRunner().invoke(command, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("text", BROKEN)
def test_unreadable_file_is_reported_with_the_line(conf: Path, name: str, text: str) -> None:
    file = conf / "local" / name
    file.write_text(text, encoding="latin-1" if "\xe4" in text else "utf-8")
    message = error_of(run(conf))
    assert str(file) in message
    assert BROKEN[text] in message


@pytest.mark.parametrize("text", ENTRIES)
def test_invalid_catalog_entry_is_a_user_error(conf: Path, text: str) -> None:
    (conf / "local/catalog.yml").write_text(text)
    assert ENTRIES[text] in error_of(run(conf))


@pytest.mark.parametrize("text", PARAMETERS)
def test_invalid_value_in_a_file_is_a_user_error(conf: Path, text: str) -> None:
    (conf / "local/parameters.yml").write_text(text)
    assert PARAMETERS[text] in error_of(run(conf))


def test_conf_source_with_glob_characters_is_a_user_error(conf: Path) -> None:
    folder = conf.parent / "p[1]"
    folder.mkdir()
    conf.rename(folder / "conf")
    assert error_of(run(folder / "conf")).endswith("as a pattern and finds no file; rename the folder")


def test_duplicate_key_is_reported_with_both_files(conf: Path) -> None:
    for name in ("parameters.yml", "parameters_more.yml"):
        (conf / "local" / name).write_text("seed: 1")
    message = error_of(run(conf))
    assert "Duplicate keys found in " in message
    assert all(str(conf / "local" / name) in message for name in ("parameters.yml", "parameters_more.yml"))


def test_file_without_read_permission_is_a_user_error(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = conf / "local/parameters.yml"
    file.write_text("seed: 1")
    if os.geteuid():
        file.chmod(stat.S_IWUSR)
    else:  # root may read everything
        opened = open

        def refuse(path, *arguments, **options):
            if str(path) == str(file):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
            return opened(path, *arguments, **options)

        monkeypatch.setattr("builtins.open", refuse)
    assert f"{file}: Permission denied" in error_of(run(conf))


@pytest.mark.parametrize("name", ["params.yml", "parameter.yml", "globals.yaml", "Parameters.yml"])
def test_ignored_file_is_warned_about(conf: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (conf / "local" / name).write_text("seed: 1")
    run(conf)
    (line,) = caplog.messages
    assert line.startswith(f"{conf / 'local' / name} is ignored: ")


def test_no_warning_about_files_that_are_read(conf: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("parameters.yml", "parameters_more.json", "globals.yml", "catalog_more.yaml", "credentials.yml"):
        (conf / "local" / name).write_text("{}")
    run(conf)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("base", "/conf/base"),
        ("base/catalog.yml", "catalog*"),
        ("base/globals.yml", "source: missing; set it in conf/"),
    ],
)
def test_incomplete_configuration_is_a_user_error(conf: Path, missing: str, expected: str) -> None:
    path = conf / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert expected in error_of(run(conf))


@pytest.mark.parametrize("env", ["..", ".", "../conf/test", "test/", "[test]", "t*st", ".test", "/etc", "a\0b", ""])
def test_invalid_environment_name_is_a_user_error(conf: Path, env: str) -> None:
    assert f"--env: found {env!r}, expected the name of a folder in conf/" in error_of(run(conf, f"--env={env}"))


def test_invalid_kedro_env_is_a_user_error(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_ENV", "te[s]t")
    assert "--env: found 'te[s]t'" in error_of(run(conf))
