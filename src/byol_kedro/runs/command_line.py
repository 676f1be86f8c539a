"""Commands as they are typed: what `--params` says, the command that was typed, and the one that comes next."""

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

PACKAGE = "python -m byol_kedro"  # the program where there is no project around it
DEEPEST = 8  # blocks in blocks; no parameter lies as deep
SEPARATOR = re.compile(r"(?<!\\),")

# How nodes are chosen on the command line, by the names that Kedro hands to hooks.
CHOICES = {
    "tags": "--tags", "node_names": "--nodes", "from_nodes": "--from-nodes", "to_nodes": "--to-nodes",
    "from_inputs": "--from-inputs", "to_outputs": "--to-outputs", "namespaces": "--namespaces",
}  # fmt: skip


def assignments(text: str, option: str = "--params") -> list[tuple[str, str]]:
    """`seed=1,pretrain.epochs=3` as names and values; nothing is read into a value, `\\,` in one is a comma.

    Raises:
        UserError: a part of `text` has no `=`.
    """
    pairs = []
    for item in SEPARATOR.split(text) if text.strip() else ():
        name, equals, value = item.partition("=")
        if not equals:
            raise UserError(
                f"{option}: found {item.strip()!r}, expected name=value; several are separated by commas, and a comma "
                r"that belongs to a value is typed as \, (within quotes: the shell takes the backslash otherwise)"
            )
        pairs.append((name.strip(), value.replace(r"\,", ",")))
    return pairs


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Names with dots as blocks in blocks: `pretrain.epochs` → `{"pretrain": {"epochs": …}}`.

    Raises:
        UserError: a name is empty, ends in a dot or has too many, or two pairs have the same one.
    """
    values: dict[str, Any] = {}
    for name, value in pairs:
        *blocks, last = name.split(".")
        if not all((*blocks, last)) or len(blocks) > DEEPEST:
            raise UserError(f"--params: {name!r} is no name of a parameter; expected one like seed or pretrain.epochs")
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
    """The command of a run: as it was typed, or what would have to be typed where another program began the run.

    `run_params` is what Kedro hands to `before_pipeline_run`.
    """
    program, typed = _program(), sys.argv[1:]
    if program == PACKAGE or (Path(program).stem == "kedro" and typed[:1] == ["run"]):
        words = [*program.split(), *typed]
        if "KEDRO_ENV" in os.environ and not any(word.startswith(("--env", "-e")) for word in typed):
            words.append(f"--env={run_params['env']}")
        return _join(words)
    # A server, a notebook or a script: what its own command line says is about no single run.
    chosen = [f"{option}={','.join(run_params[name])}" for name, option in CHOICES.items() if run_params[name]]
    missing = ["--only-missing-outputs"] if run_params["only_missing_outputs"] else []
    pipelines = run_params["pipeline_names"] or ["__default__"]
    command = kedro_run(pipelines, run_params, **run_params["load_versions"] or {})
    return " ".join([command, *([shlex.join(chosen + missing)] if chosen + missing else [])])


def kedro(command: str, place: Mapping[str, Any], *options: str, pins: Mapping[str, str] | None = None) -> str:
    """A command of this project, as it is typed for the same environment, configuration and parameters.

    Args:
        command: `run`, `results`, …
        place: what Kedro hands to `before_pipeline_run`, or `env`, `conf_source` and `runtime_params` of it.
        options: more of its words.
        pins: version by entry, for `--load-versions`.
    """
    program = PACKAGE if _program() == PACKAGE else "kedro"
    words = [*program.split(), *command.split(), *options]
    if place.get("env"):
        words.append(f"--env={place['env']}")
    if place.get("conf_source"):
        words.append(f"--conf-source={place['conf_source']}")
    words += _params(place.get("runtime_params") or {})
    if pins:
        words.append(f"--load-versions={','.join(f'{name}:{version}' for name, version in pins.items())}")
    return _join(words)


def _join(words: Iterable[str]) -> str:
    """One command, without what is secret in an address."""
    return shlex.join(map(masked, words))


def kedro_run(pipelines: Iterable[str], place: Mapping[str, Any], **pins: str) -> str:
    """`kedro run` of `pipelines`; the rest as for `kedro`."""
    return kedro("run", place, f"--pipelines={','.join(pipelines)}", pins=pins)


def _program() -> str:
    program = Path(sys.argv[0])
    return PACKAGE if program.parts[-2:] == ("byol_kedro", "__main__.py") else program.name


def _params(values: Mapping[str, Any]) -> Iterator[str]:
    """What `assignments` and `nested` make `values` of."""
    texts = [f"{name}={_text(value)}" for name, value in flat(values)]
    if any(text.endswith("\\") for text in texts):  # it would take the comma after it into its value
        yield from (f"--params={text}" for text in texts)
    elif texts:
        yield f"--params={','.join(texts)}"


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The names and values that `nested` makes `values` of."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _text(value: Any) -> str:
    plain = json.dumps(value) if value is None or isinstance(value, bool | list) else str(value)
    return plain.replace(",", r"\,")
