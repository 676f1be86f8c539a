"""Fixtures of the tests of downloads."""

import pytest

from byol_kedro.files import download


@pytest.fixture
def waits(monkeypatch):
    """The seconds that a download would have waited."""
    seconds = []
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download.time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def path(tmp_path):
    """Where a download goes."""
    return tmp_path / "file.tar.gz"
