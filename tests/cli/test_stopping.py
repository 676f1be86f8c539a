"""Ctrl-C ends a run with one line, a second one silently."""

import signal
import subprocess
import sys

import pytest

from byol_kedro.cli import requested_pipeline
from byol_kedro.errors import StoppedError
from byol_kedro.runs.user_errors import as_user_error
from tests.support.kedro_runs import ROOT

# Kedro calls plugins after a command, before the process ends.
PROGRAM = """
import os, signal, sys, time
import click
from byol_kedro.cli.error_line import print_user_errors

def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)

@click.command()
def run():
    with print_user_errors():
        {stopped}

signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run([])
except SystemExit:
    press_ctrl_c()
"""


@pytest.mark.parametrize(
    ("stopped", "lines"), [("press_ctrl_c()", 1), ("sys.exit(130)", 0)], ids=["anywhere", "a training"]
)
def test_second_ctrl_c_ends_the_process_silently(stopped, lines):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(stopped=stopped)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert len((done.stdout + done.stderr).strip().splitlines()) == lines
    assert done.returncode == -signal.SIGINT


def test_ctrl_c_during_an_import_is_not_an_import_error(monkeypatch):
    def imported(_):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("byol_kedro.cli.build_pipelines", imported)
    with pytest.raises(ImportError) as caught:
        requested_pipeline([])
    assert isinstance(as_user_error(caught.value), StoppedError)


def test_ctrl_c_handler_is_unchanged_in_interactive_python():
    program, _, _ = PROGRAM.format(stopped="press_ctrl_c()").partition("try:")
    code = (
        f"{program}sys.ps1 = '>>> '\ntry:\n    run([])\nexcept SystemExit:\n    print(signal.getsignal(signal.SIGINT))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "default_int_handler" in done.stdout
