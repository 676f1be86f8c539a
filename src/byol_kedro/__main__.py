"""`python -m byol_kedro`: `kedro run`, `kedro results` and `kedro export`, for an installed package."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Do what the first word says, `run`, `results` or `export`; `run` where there is none, and exit like it.

    Kedro's `entry_point` calls it with the words of a command line as `args[0]`, a shell without any.
    """
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    command: Any = find_run_command(package_name)

    from byol_kedro.cli import cli  # noqa: PLC0415  # the project has to be configured first

    words = args[0] if args else kwargs.get("args", sys.argv[1:])
    if words and words[0] in cli.commands:
        command = cli
    interactive = hasattr(sys, "ps1")
    return command(*args, standalone_mode=kwargs.pop("standalone_mode", not interactive), **kwargs)


if __name__ == "__main__":
    main()
