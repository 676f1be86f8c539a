"""Commands as they are typed: the one that was, and the one that comes next."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def command_line() -> str:
    """The command as it was typed, without the path of the interpreter."""
    program = Path(sys.argv[0])
    name = "python -m byol_kedro" if program.name == "__main__.py" else program.name
    return shlex.join([*name.split(), *sys.argv[1:]])


def kedro_run(pipelines: Iterable[str], run_params: Mapping[str, Any], **pins: str) -> str:
    """`kedro run` of other pipelines with the environment and the parameters of this run.

    Args:
        pipelines: their names.
        run_params: what Kedro hands to `before_pipeline_run`.
        pins: version by entry, for `--load-versions`.
    """
    words = ["kedro", "run", f"--pipelines={','.join(pipelines)}"]
    if run_params["env"]:
        words.append(f"--env={run_params['env']}")
    if run_params["runtime_params"]:  # None or empty where none were given
        words.append(f"--params={','.join(_assignments(run_params['runtime_params'], ''))}")
    if pins:
        words.append(f"--load-versions={','.join(f'{name}:{version}' for name, version in pins.items())}")
    return shlex.join(words)


def _assignments(values: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _assignments(value, f"{before}{name}.")
        else:
            yield f"{before}{name}={json.dumps(value) if value is None or isinstance(value, bool) else value}"
