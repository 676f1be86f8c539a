import logging

import pytest

from byol_kedro.files import progress_bar as module
from byol_kedro.files.progress_bar import Meter


@pytest.fixture
def clock(monkeypatch):
    """Set the time by `clock["now"] = …`."""
    time = {"now": 0.0}
    monkeypatch.setattr(module.time, "monotonic", lambda: time["now"])
    return time


def test_without_a_terminal_a_line_comes_now_and_then(caplog, clock):
    caplog.set_level(logging.INFO)
    with Meter("fetching a file", total=1000) as meter:
        for now, done in ((5, 100), (21, 300), (30, 400), (42, 600)):
            clock["now"] = now
            meter.at(done)
    assert [record.getMessage() for record in caplog.records] == [
        "fetching a file: 300 bytes of 1.0 kB",
        "fetching a file: 600 bytes of 1.0 kB",
    ]


def test_on_a_terminal_a_bar_says_all(caplog, capsys, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(module, "LINE_SECONDS", 0)
    with Meter("fetching a file", total=1000, done=500) as meter:
        meter.at(1000)
    assert not caplog.records
    assert "1.0/1.0 kB" in capsys.readouterr().out
