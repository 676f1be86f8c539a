"""User errors are reported on one line; output is printed on any terminal."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from kedro.io import DatasetError

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.errors import UserError
from byol_kedro.runs.user_errors import as_user_error
from tests.support.kedro_runs import ROOT


def numpy_has_no_memory() -> None:
    np.empty(2**60, dtype=np.uint8)


def torch_has_no_memory() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def the_gpu_has_no_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has …")


def python_has_no_memory() -> None:
    raise MemoryError


def the_system_has_no_memory() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


@pytest.mark.parametrize(
    ("fails", "found"),
    [
        (numpy_has_no_memory, "1.00 EiB"),
        (torch_has_no_memory, "1152921504606846976 bytes"),
        (the_gpu_has_no_memory, "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"),
        (python_has_no_memory, "out of memory;"),
        (the_system_has_no_memory, "Cannot allocate memory"),
    ],
)
def test_out_of_memory_is_a_user_error(fails, found: str) -> None:
    with pytest.raises(click.ClickException) as caught, print_user_errors():
        fails()
    line = caught.value.message
    assert line.startswith("out of memory")
    assert found in line
    assert "pretrain.batch_size" in line
    assert len(line.splitlines()) == 1


def test_other_torch_error_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"), print_user_errors():
        torch.zeros(2) + torch.zeros(3)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP])
def test_inaccessible_path_is_a_user_error(code: int) -> None:
    wrapped = DatasetError("Failed while saving")
    wrapped.__cause__ = OSError(code, os.strerror(code), "/disks/x")
    assert str(as_user_error(wrapped)).startswith(f"/disks/x: {os.strerror(code)}; ")


def test_other_os_error_keeps_its_traceback() -> None:
    assert as_user_error(OSError(errno.EBADF, os.strerror(errno.EBADF), "/disks/x")) is None
    assert as_user_error(OSError(errno.EROFS, os.strerror(errno.EROFS))) is None


def test_control_characters_in_a_message_are_escaped() -> None:
    with pytest.raises(click.ClickException) as caught, print_user_errors():
        raise UserError("a\nb\u2028c\x1b[31m: no image")
    assert caught.value.message == r"a\nb\u2028c\x1b[31m: no image"


@pytest.mark.parametrize(
    "terminal",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
def test_characters_missing_in_the_terminal_are_escaped(chain_copy: Path, terminal: dict[str, str]) -> None:
    program = [str(Path(sys.executable).with_name("kedro")), "run", "--env=test", "--pipelines=report"]
    done = subprocess.run(
        [*program, f"--params=data_root={chain_copy}"],
        cwd=ROOT, capture_output=True, check=False, env={**os.environ, **terminal},
    )  # fmt: skip
    screen = (done.stdout + done.stderr).decode("latin-1")
    assert done.returncode == 0, screen
    assert "Traceback" not in screen
    assert "Report: " in screen
    assert r"\u2013" in screen
