"""Supported runners give identical outputs, and others are refused before the training."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import ParallelRunner

from byol_kedro.errors import UserError
from byol_kedro.runs import runners
from tests.support.artifacts import contents
from tests.support.kedro_runs import ROOT, Chain, Outcome, type_kedro_run

Run = Callable[..., Outcome]


@pytest.mark.parametrize(
    "runner",
    [
        *(pytest.param("--runner=ThreadRunner", id=f"threads-{time}") for time in range(2)),
        pytest.param("--runner-params=is_async=True", id="async"),
    ],
)
def test_runners_give_identical_outputs(chain: Chain, tmp_path: Path, runner: str) -> None:
    outcome = type_kedro_run(tmp_path, runner)
    assert outcome.exit_code == 0, outcome.output
    expected, found = contents(chain.data_root), contents(tmp_path)
    assert len(expected) > 40
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    manifest = json.loads(next(tmp_path.glob("*/run_manifest.json/*/*")).read_text("utf-8"))
    assert runner in manifest["command"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runner=ParallelRunner"], "--runner=ParallelRunner: nodes in separate processes would not use"),
        (["--runner=kedro.runner.ParallelRunner"], "expected SequentialRunner or ThreadRunner"),
        (["--runner=os.path"], "there is no runner 'os.path'"),
        (["--runner=AbstractRunner"], "there is no runner 'AbstractRunner'"),
    ],
)
def test_unsupported_runner_is_a_user_error(kedro_run: Run, tmp_path: Path, words: list[str], message: str) -> None:
    outcome = kedro_run(*words)
    assert outcome.exit_code == 1
    assert len(outcome.lines) == 1
    assert message in outcome.output
    assert not list(tmp_path.rglob("*.*"))


def test_parallel_runner_from_python_is_refused(tmp_path: Path) -> None:
    bootstrap_project(ROOT)
    params = {"data_root": str(tmp_path), "raw_root": str(tmp_path / "raw")}
    with (
        KedroSession.create(ROOT, env="test", runtime_params=params) as session,
        pytest.raises(UserError, match="ParallelRunner"),
    ):
        session.run(runner=ParallelRunner())
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(("cores", "variable", "expected"), [(1, None, 1), (64, None, 3), (1, "3", 3)])
def test_torch_has_no_more_threads_than_usable_cores(monkeypatch, cores, variable, expected):
    before = torch.get_num_threads()
    monkeypatch.setattr(runners, "usable_cores", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    try:
        torch.set_num_threads(3)
        runners.limit_torch_threads()
        assert torch.get_num_threads() == expected
    finally:
        torch.set_num_threads(before)
