"""Parse `--params`; format commands for manifests and messages."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from byol_kedro.errors import UserError
from byol_kedro.files.masking import masked

PACKAGE = "python -m byol_kedro"  # the program of an installed package
MAX_DEPTH = 8  # of nested blocks; no parameter is nested as deeply
SEPARATOR = re.compile(r"(?<!\\),")

# Options that select nodes, by the names that Kedro passes to hooks.
CHOICES = {
    "tags": "--tags", "node_names": "--nodes", "from_nodes": "--from-nodes", "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs", "to_outputs": "--to-outputs", "namespaces": "--namespaces",
}  # fmt: skip


def assignments(text: str, option: str = "--params") -> list[tuple[str, str]]:
    r"""Split `seed=1,pretrain.epochs=3` into names and values. Values stay strings; `\,` in a value is a comma.

    Args:
        text: the assignments.
        option: the option that contains them, for the error.

    Raises:
        UserError: an item of `text` has no `=`.
    """
    pairs = []
    for item in SEPARATOR.split(text) if text.strip() else ():
        name, equals, value = item.partition("=")
        if not equals:
            raise UserError(
                f"{option}: found {item.strip()!r}, expected name=value; separate several by commas, and type a comma "
                r"in a value as \, (in quotes, since the shell removes the backslash otherwise)"
            )
        pairs.append((name.strip(), value.replace(r"\,", ",")))
    return pairs


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Turn dotted names into nested blocks: `pretrain.epochs` → `{"pretrain": {"epochs": …}}`.

    Raises:
        UserError: a name is empty, ends in a dot, has too many dots, or is given twice.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        *blocks, last = name.split(".")
        if not all((*blocks, last)) or len(blocks) > MAX_DEPTH:
            raise UserError(f"--params: {name!r} is not a parameter name; expected one such as seed or pretrain.epochs")
        block = values
        for part in blocks:
            block = block.setdefault(part, {})
            if not isinstance(block, dict):
                break
        if not isinstance(block, dict) or last in block:
            raise UserError(f"--params: {name} is given twice; give it once")
        block[last] = value
    return values


def command_line(run_params: Mapping[str, Any]) -> str:
    """Return the command of a run; an equivalent one if the run was not started from the command line.

    `run_params` is what Kedro passes to `before_pipeline_run`.
    """
    program, arguments = _program(), sys.argv[1:]
    if program == PACKAGE or (Path(program).stem == "kedro" and arguments[:1] == ["run"]):
        parts = [*program.split(), *arguments]
        if "KEDRO_ENV" in os.environ and not any(argument.startswith(("--env", "-e")) for argument in arguments):
            parts.append(f"--env={run_params['env']}")
        return _join(parts)
    # A server, a notebook or a script: its own command line does not describe the run.
    selected = [f"{option}={','.join(run_params[name])}" for name, option in CHOICES.items() if run_params[name]]
    missing = ["--only-missing-outputs"] if run_params["only_missing_outputs"] else []
    pipelines = run_params["pipeline_names"] or ["__default__"]
    command = kedro_run(pipelines, run_params, **run_params["load_versions"] or {})
    return " ".join([command, *([shlex.join(selected + missing)] if selected + missing else [])])


def kedro(
    command: str, session_options: Mapping[str, Any], *options: str, pins: Mapping[str, str] | None = None
) -> str:
    """Return a command of this project for the same environment, configuration and parameters.

    Args:
        command: `run`, `results`, …
        session_options: `env`, `conf_source` and `runtime_params`; other items are ignored.
        *options: more arguments.
        pins: version by entry, for `--load-versions`.
    """
    program = PACKAGE if _program() == PACKAGE else "kedro"
    parts = [*program.split(), *command.split(), *options]
    if session_options.get("env"):
        parts.append(f"--env={session_options['env']}")
    if session_options.get("conf_source"):
        parts.append(f"--conf-source={session_options['conf_source']}")
    parts += _params(session_options.get("runtime_params") or {})
    if pins:
        parts.append(f"--load-versions={','.join(f'{name}:{version}' for name, version in pins.items())}")
    return _join(parts)


def _join(parts: Iterable[str]) -> str:
    """Return one command; secrets in URLs are masked."""
    return shlex.join(map(masked, parts))


def kedro_run(pipelines: Iterable[str], session_options: Mapping[str, Any], **pins: str) -> str:
    """Return the command `kedro run` for `pipelines`; the other arguments are those of `kedro`."""
    return kedro("run", session_options, f"--pipelines={','.join(pipelines)}", pins=pins)


def _program() -> str:
    program = Path(sys.argv[0])
    return PACKAGE if program.parts[-2:] == ("byol_kedro", "__main__.py") else program.name


def _params(values: Mapping[str, Any]) -> Iterator[str]:
    """Format `values` as `--params`, the inverse of `assignments` and `nested`."""
    texts = [f"{name}={_text(value)}" for name, value in flat(values)]
    if any(text.endswith("\\") for text in texts):  # it would escape the comma that follows
        yield from (f"--params={text}" for text in texts)
    elif texts:
        yield f"--params={','.join(texts)}"


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted names and the values of nested blocks, the inverse of `nested`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _text(value: Any) -> str:
    plain = json.dumps(value) if value is None or isinstance(value, bool | list) else str(value)
    return plain.replace(",", r"\,")
