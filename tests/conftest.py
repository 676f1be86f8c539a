"""Fixtures of all tests: `kedro run`, and one complete run."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.kedro_runs import Chain, Outcome, type_kedro_run
from tests.support.quick_sessions import remember_what_sessions_read

# The time of an example depends on the load of the machine.
settings.register_profile("suite", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=400)
settings.load_profile("suite")
remember_what_sessions_read()
# A test cannot see what a flush to the disk is for: that files survive a power failure.
os.fsync = lambda descriptor: None


def pytest_collection_finish() -> None:
    """Spare the collector of garbage the modules and tests, which live until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def kedro_run(tmp_path: Path) -> Callable[..., Outcome]:
    """Run `kedro_run("--pipelines=ingest", params="seed=1")` with artifacts in a folder of the test."""
    return lambda *words, params="": type_kedro_run(tmp_path, *words, params=params)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The default pipeline, run once on the built-in photographs; read-only."""
    root = tmp_path_factory.mktemp("chain")
    return Chain(root, type_kedro_run(root))


@pytest.fixture
def chain_copy(chain: Chain, tmp_path: Path) -> Path:
    """A copy of the artifacts of the chain, for the test to change."""
    import shutil  # noqa: PLC0415

    return Path(shutil.copytree(chain.data_root, tmp_path / "data"))
