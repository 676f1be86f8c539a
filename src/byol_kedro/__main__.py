"""Run the installed package: `python -m byol_kedro [run | results | export | export-features | similar]`."""

import sys
from pathlib import Path
from typing import Any

from kedro.framework.cli.utils import find_run_command
from kedro.framework.project import configure_project


def main(*args: Any, **kwargs: Any) -> Any:
    """Run the command that the first argument names; `run` by default.

    Args:
        *args: the command-line arguments as `args[0]` when Kedro's `entry_point` calls, nothing in a shell.
        **kwargs: click's options, such as `standalone_mode`.

    Returns:
        What the command returns.
    """
    package_name = Path(__file__).parent.name
    configure_project(package_name)
    command: Any = find_run_command(package_name)

    from byol_kedro.cli import cli  # noqa: PLC0415  # the project has to be configured first

    arguments = args[0] if args else kwargs.get("args", sys.argv[1:])
    if arguments and arguments[0] in cli.commands:
        command = cli
    interactive = hasattr(sys, "ps1")
    return command(*args, standalone_mode=kwargs.pop("standalone_mode", not interactive), **kwargs)


if __name__ == "__main__":
    main()
