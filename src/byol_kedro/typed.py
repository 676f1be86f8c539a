"""Commands as they are typed: the one that was, and the one that comes next."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from byol_kedro.masking import masked

# How nodes are chosen on the command line, by the names that Kedro hands to hooks.
CHOICES = {
    "tags": "--tags", "node_names": "--nodes", "from_nodes": "--from-nodes", "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs", "to_outputs": "--to-outputs", "namespaces": "--namespaces",
}  # fmt: skip


def command_line(run_params: Mapping[str, Any]) -> str:
    """The command of a run: as it was typed, or what would have to be typed where another program began the run.

    `run_params` is what Kedro hands to `before_pipeline_run`.
    """
    program = Path(sys.argv[0])
    if program.parts[-2:] == ("byol_kedro", "__main__.py"):
        return _join(["python", "-m", "byol_kedro", *sys.argv[1:]])
    if program.stem == "kedro" and sys.argv[1:2] == ["run"]:
        return _join([program.name, *sys.argv[1:]])
    # A server, a notebook or a script: what its own command line says is about no single run.
    chosen = [f"{option}={','.join(run_params[name])}" for name, option in CHOICES.items() if run_params[name]]
    missing = ["--only-missing-outputs"] if run_params["only_missing_outputs"] else []
    pipelines = run_params["pipeline_names"] or ["__default__"]
    command = kedro_run(pipelines, run_params, **run_params["load_versions"] or {})
    return " ".join([command, *([shlex.join(chosen + missing)] if chosen + missing else [])])


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
    return _join(words)


def _join(words: Iterable[str]) -> str:
    """One command, without what is secret in an address."""
    return shlex.join(map(masked, words))


def _assignments(values: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _assignments(value, f"{before}{name}.")
        else:
            yield f"{before}{name}={json.dumps(value) if value is None or isinstance(value, bool) else value}"
