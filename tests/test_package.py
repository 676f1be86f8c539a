"""The installed package works outside of a project."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.kedro_runs import ROOT


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a configuration that is not a Kedro project."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    return tmp_path


def package(folder: Path, *words: str) -> list[str]:
    """The lines that `python -m byol_kedro` prints in `folder`."""
    done = subprocess.run(
        [sys.executable, "-m", "byol_kedro", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def test_results_and_export_are_available(elsewhere: Path) -> None:
    (line,) = package(elsewhere, "results", "list", "--env=test")
    assert line.startswith("Error: no runs yet: nothing in data/test/08_reporting/run_manifest.json; ")
    assert line.endswith("make one with python -m byol_kedro run (--env=…)")
    (line,) = package(elsewhere, "export", "--env=test", "--format=timm", "--output=e.safetensors")
    assert line.endswith("train one with: python -m byol_kedro run --pipelines=ingest,pretrain --env=test")


def test_run_is_the_default_command_and_suggests_one_that_works(elsewhere: Path) -> None:
    (line,) = package(elsewhere, "--env=test", "--pipelines=pretrain", "--params=data_root=a b")
    assert "make it first with: python -m byol_kedro run --pipelines=ingest --env=test " in line
    words = line.partition("make it first with: python -m byol_kedro ")[2]
    done = subprocess.run(
        f"{sys.executable} -m byol_kedro {words}", cwd=elsewhere, shell=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "a b/02_intermediate/images_train.npy").is_dir()


def test_package_data_is_complete() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    folders = {ROOT / "src" / package.replace(".", "/"): patterns for package, patterns in data.items()}
    packed = {path for folder, patterns in folders.items() for pattern in patterns for path in folder.glob(pattern)}
    files = {path for path in (ROOT / "src/byol_kedro").rglob("*") if path.is_file()}
    assert packed == {path for path in files if path.suffix not in {".py", ".pyc"}}
