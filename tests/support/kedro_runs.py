"""Runs `kedro run` in the process of the test."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """Exit code and output of a command."""

    exit_code: int
    output: str

    @property
    def lines(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.strip()]


def type_kedro_run(data_root: Path, *words: str, params: str = "") -> Outcome:
    """Run `kedro run --env=test` with all artifacts under `data_root`; `params` override this."""
    ours = {"data_root": f"data_root={data_root}", "raw_root": f"raw_root={data_root}/raw"}
    asked = {assignment.partition("=")[0] for assignment in params.split(",")}
    given = ",".join([*(text for name, text in ours.items() if name not in asked), *filter(None, [params])])
    arguments = ["--env=test", f"--params={given}", *words]
    bootstrap_project(ROOT)
    from byol_kedro.cli import run  # noqa: PLC0415  (the project has to be bootstrapped first)

    ctrl_c = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["/usr/bin/kedro", "run", *arguments])
        result = CliRunner().invoke(run, arguments)
    signal.signal(signal.SIGINT, ctrl_c)  # a run that was stopped lets the next Ctrl-C end the process
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


@dataclass(frozen=True)
class Chain:
    """A complete run: the folder of its artifacts and its output."""

    data_root: Path
    outcome: Outcome

    def versions(self, name: str) -> list[Path]:
        """The files of an entry, oldest version first."""
        files = self.data_root.glob(f"*/{name}.*/*/{name}.*")
        return sorted((file for file in files if file.parents[1].name == file.name), key=lambda file: file.parent.name)


def error_of(outcome: Outcome) -> str:
    """The error message of a failed command; asserts that it is one line."""
    assert outcome.exit_code == 1, outcome.output
    errors = [line for line in outcome.lines if line.startswith("Error: ")]
    assert len(errors) == 1, outcome.output
    assert "Traceback" not in outcome.output
    return errors[0]


def artifacts(root: Path) -> set[Path]:
    """Every file below `root`."""
    return {path for path in root.rglob("*") if path.is_file()}


def header(path: Path) -> dict[str, str]:
    with safe_open(path, framework="np") as file:
        return dict(file.metadata())


def modules_after(code: str) -> set[str]:
    """The modules that `code` imports, in a new interpreter."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def manifests(root: Path) -> list[dict[str, Any]]:
    """All manifests, oldest first."""
    paths = sorted(root.glob("08_reporting/run_manifest.json/*/run_manifest.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


def seeds(root: Path) -> list[int]:
    """The seed of the patches in each version of the training images, oldest first."""
    paths = sorted(root.glob("02_intermediate/images_train.npy/*/images_train.json"))
    return [json.loads(path.read_text("utf-8"))["origin"]["seed"] for path in paths]
