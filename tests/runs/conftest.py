"""Fixtures of the tests of `results`."""

from pathlib import Path

import pytest

from tests.support.pruned_runs import FIRST, ROWS, SECOND
from tests.support.run_builder import RunBuilder


@pytest.fixture
def runs(tmp_path: Path) -> RunBuilder:
    """FIRST and SECOND, complete runs with every versioned entry."""
    builder = RunBuilder(tmp_path)
    for run_id in (FIRST, SECOND):
        builder.complete(run_id, ROWS)
        for entry in builder.entries:
            if not builder.path(entry, run_id).exists():
                builder.write(entry, run_id, b"something")
    return builder
