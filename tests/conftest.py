"""What the tests of the whole project share: a way to type `kedro run` and one run of the whole chain."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.kedro_runs import Chain, Outcome, type_kedro_run

# How long an example takes depends on what else the machine does.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture
def kedro_run(tmp_path: Path) -> Callable[..., Outcome]:
    """`kedro_run("--pipelines=ingest", params="seed=1")`, with artifacts in a folder of this test's own."""
    return lambda *words, params="": type_kedro_run(tmp_path, *words, params=params)


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
