"""Progress is a bar on a terminal, and log lines from time to time elsewhere."""

import logging

import pytest

from byol_kedro import log
from byol_kedro.files.progress_bar import ProgressBar


@pytest.fixture
def clock(monkeypatch):
    """A fake clock: `clock["now"] = …` sets the time."""
    time = {"now": 0.0}
    monkeypatch.setattr(log.time, "monotonic", lambda: time["now"])
    return time


def test_lines_are_throttled_without_a_terminal(caplog, clock):
    caplog.set_level(logging.INFO)
    with ProgressBar("fetching a file", total=1000) as bar:
        for now, done in ((5, 100), (21, 300), (30, 400), (42, 600)):
            clock["now"] = now
            bar.update(done)
    assert [record.getMessage() for record in caplog.records] == [
        "fetching a file: 300 bytes of 1.0 kB",
        "fetching a file: 600 bytes of 1.0 kB",
    ]


def test_a_terminal_gets_a_bar_and_no_lines(caplog, capsys, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(log, "LINE_SECONDS", 0)
    with ProgressBar("fetching a file", total=1000, done=500) as bar:
        bar.update(1000)
    assert not caplog.records
    assert "1.0/1.0 kB" in capsys.readouterr().out
