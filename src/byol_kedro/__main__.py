"""`python -m byol_kedro`: the same as `kedro run`, for an installed package."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the pipeline named on the command line; exits like `kedro run`."""
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    run = find_run_command(package_name)
    interactive = hasattr(sys, "ps1")
    return run(*args, standalone_mode=kwargs.pop("standalone_mode", not interactive), **kwargs)


if __name__ == "__main__":
    main()
