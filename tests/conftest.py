"""What the tests of the whole project share: a way to type `kedro run` and one run of the whole chain."""

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings
from kedro.framework.startup import bootstrap_project

# How long an example takes depends on what else the machine does.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a command left on the screen."""

    exit_code: int
    output: str

    @property
    def lines(self) -> list[str]:
        return [line for line in self.output.splitlines() if line.strip()]


def type_kedro_run(data_root: Path, *words: str, params: str = "") -> Outcome:
    """`kedro run --env=test` with all artifacts under `data_root`, in this process; `params` go before."""
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


@pytest.fixture
def kedro_run(tmp_path: Path) -> Callable[..., Outcome]:
    """`kedro_run("--pipelines=ingest", params="seed=1")`, with artifacts in a folder of this test's own."""
    return lambda *words, params="": type_kedro_run(tmp_path, *words, params=params)


@dataclass(frozen=True)
class Chain:
    """A whole run of the chain: where its artifacts lie and what it printed."""

    data_root: Path
    outcome: Outcome

    def versions(self, name: str) -> list[Path]:
        """The files of an entry, oldest version first."""
        files = self.data_root.glob(f"*/{name}.*/*/{name}.*")
        return sorted((file for file in files if file.parents[1].name == file.name), key=lambda file: file.parent.name)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The default pipeline, run once on the built-in photographs. Tests must not write into it."""
    root = tmp_path_factory.mktemp("chain")
    return Chain(root, type_kedro_run(root))


@pytest.fixture
def chain_copy(chain: Chain, tmp_path: Path) -> Path:
    """The artifacts of the chain in a folder that the test may change."""
    import shutil  # noqa: PLC0415

    return Path(shutil.copytree(chain.data_root, tmp_path / "data"))
