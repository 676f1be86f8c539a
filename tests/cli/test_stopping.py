"""What could break: a second Ctrl-C that prints where a run, which is ending already, has been."""

import signal
import subprocess
import sys

import pytest

from byol_kedro.cli import requested_pipeline
from byol_kedro.errors import StoppedError
from byol_kedro.runs.user_errors import as_user_error
from tests.support.kedro_runs import ROOT

# What Kedro does around a command: it looks at the end of it, and calls its plugins, before the process ends.
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
def test_a_second_ctrl_c_ends_the_process_without_a_word(stopped, lines):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(stopped=stopped)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert len((done.stdout + done.stderr).strip().splitlines()) == lines
    assert done.returncode == -signal.SIGINT


def test_ctrl_c_while_a_package_in_c_is_imported_is_no_broken_installation(monkeypatch):
    def imported(_):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("byol_kedro.cli.build_pipelines", imported)
    with pytest.raises(ImportError) as caught:
        requested_pipeline([])
    assert isinstance(as_user_error(caught.value), StoppedError)


def test_in_an_interactive_python_ctrl_c_stays_what_it_was():
    program, _, _ = PROGRAM.format(stopped="press_ctrl_c()").partition("try:")
    code = (
        f"{program}sys.ps1 = '>>> '\ntry:\n    run([])\nexcept SystemExit:\n    print(signal.getsignal(signal.SIGINT))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "default_int_handler" in done.stdout
