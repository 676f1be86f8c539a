"""Runs that `kedro results prune` removes."""

import os
from pathlib import Path

from tests.support.kedro_runs import ROOT
from tests.support.run_builder import BYOL_LOGISTIC, RunBuilder, right, type_results

FIRST, SECOND, THIRD = (f"2026-03-0{day}T10.00.00.000Z" for day in (1, 2, 3))
ROWS = {BYOL_LOGISTIC: right(of=20, count=10)}


def prune(runs: RunBuilder, *words: str, keep: int = 1) -> list[str]:
    outcome = type_results(runs.data_root, "prune", f"--keep={keep}", *words)
    assert outcome.exit_code == 0, outcome.output
    return outcome.lines


def entries_of(runs: RunBuilder, run_id: str) -> set[str]:
    """The entries of which the run has a folder."""
    return {entry for entry in runs.entries if runs.path(entry, run_id).parent.exists()}


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def relative(path: Path) -> Path:
    return Path(os.path.relpath(path, ROOT))
