"""Unreadable artifacts are not treated as missing ones."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from byol_kedro import load_encoder
from byol_kedro.errors import UserError
from tests.support.encoders import NEWER, OLDER, save_encoder
from tests.support.kedro_runs import Outcome, error_of, type_kedro_run
from tests.support.run_builder import type_results

NOBODY = 65534


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make `folder` unreadable for this process."""
    mode = folder.stat().st_mode
    folder.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(NOBODY)
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(stat.S_IMODE(mode))


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data_root with an encoder, readable by others, unlike the folders of pytest."""
    for folder in (tmp_path, *(above for above in tmp_path.parents if above.name.startswith(("pytest-", "popen-")))):
        folder.chmod(0o755)
    save_encoder(tmp_path, NEWER)
    (tmp_path / "08_reporting/run_manifest.json").mkdir(parents=True)
    return tmp_path


def extract(root: Path, *words: str) -> Outcome:
    return type_kedro_run(root, "--pipelines=extract", *words)


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        (extract, "06_models"),
        (extract, "06_models/encoder.safetensors"),
        (lambda root: extract(root, f"--load-versions=encoder:{NEWER}"), "06_models/encoder.safetensors"),
        (type_results, "08_reporting"),
        (type_results, "08_reporting/run_manifest.json"),
    ],
)
def test_an_unreadable_folder_is_not_an_empty_one(
    data_root: Path, command: Callable[[Path], Outcome], folder: str
) -> None:
    command(data_root)  # import modules that are unreadable afterwards
    with locked(data_root / folder):
        message = error_of(command(data_root))
    assert f"{data_root / folder}" in message
    assert "Permission denied" in message


def test_an_unreadable_version_is_not_skipped(data_root: Path) -> None:
    save_encoder(data_root, OLDER)
    extract(data_root)  # as above
    with locked(data_root / f"06_models/encoder.safetensors/{NEWER}"):
        message = error_of(extract(data_root))
    assert NEWER in message
    assert "Permission denied" in message


def test_load_encoder_names_the_unreadable_folder(data_root: Path) -> None:
    with locked(data_root / "06_models"), pytest.raises(UserError, match="06_models: Permission denied"):
        load_encoder(data_root, device="cpu")
