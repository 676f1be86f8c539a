"""The number of cores that the process may use."""

import os
import subprocess
import sys

import pytest

from byol_kedro.files.cores import usable_cores

PROGRAM = "from byol_kedro.files.cores import usable_cores; print(usable_cores())"


def test_at_least_one_core_and_at_most_those_of_the_machine():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity masks")
def test_the_affinity_mask_limits_the_cores():
    one = min(os.sched_getaffinity(0))
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{one}]); {PROGRAM}"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "1"
