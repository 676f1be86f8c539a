"""Options of `kedro run` that replace Kedro's, which fail with a traceback or split values wrongly."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click
from kedro.framework.cli.utils import split_node_names, split_string

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.cli.options import Names, checked
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expanded
from byol_kedro.runs.command_line import assignments, nested
from byol_kedro.runs.conf_faults import read_conf
from byol_kedro.suggestions import did_you_mean


def read_load_versions(text: str) -> dict[str, str]:
    """Parse `encoder:2026-…,images_train:2026-…` into versions by entry.

    Raises:
        UserError: an item has another form, or an entry is given twice.
    """
    versions: dict[str, str] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        name, _, version = item.partition(":")
        if not name or version in {"", ".", ".."} or set(version) & set("/\\"):
            raise UserError(
                f"--load-versions: found {item!r}, expected ENTRY:RUN_ID, such as encoder:2026-01-31T12.00.00.000Z"
            )
        if name in versions:
            raise UserError(f"--load-versions: {name} is given twice; give it once")
        versions[name] = version
    return versions


def read_runner_params(text: str) -> dict[str, Any]:
    """Parse `max_workers=4,is_async=true`; numbers and booleans are converted, other values stay strings."""
    values: dict[str, Any] = nested(assignments(text, "--runner-params"))
    for name, value in values.items():
        with suppress(ValueError):
            values[name] = json.loads(value.lower())
    return values


def read_config(context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    """Use the options in a `--config` file as defaults of all other options."""
    if path:
        with print_user_errors():
            context.default_map = run_section(path, context.command.params)
    return path


def run_section(path: str, options: Sequence[click.Parameter]) -> dict[str, Any]:
    """Return the block `run` of a YAML file as values by option name.

    Args:
        path: the YAML file.
        options: the options of the command.

    Raises:
        UserError: the file is missing or not valid YAML, has no such block, or contains an unknown option.
    """
    file = expanded(path, "--config")
    if not file.is_file():
        raise UserError(f"--config: the file {file} does not exist")
    content = read_conf(file.read_bytes())
    if isinstance(content, str):
        raise UserError(f"--config {file}{content}")
    section = content.get("run")
    if not isinstance(section, dict):
        raise UserError(f"--config {file}: expected a block run, such as run: {{env: sample, params: {{seed: 1}}}}")
    spellings = [(text, option) for option in options for text in (*option.opts, option.name or "")]
    names = {text.lstrip("-").replace("-", "_"): option for text, option in spellings if option.name != "config"}
    values = {}
    for key, value in section.items():
        option = names.get(key.replace("-", "_"))
        if option is None or option.name is None:
            expected = ", ".join(sorted({option.name or "" for option in names.values()}))
            hint = did_you_mean(key, names, f"expected one of {expected}")
            raise UserError(f"--config {file}: run.{key}: there is no such option; {hint}")
        values[option.name] = _value(f"--config {file}: run.{key}", option, value)
    return {name: value for name, value in values.items() if value is not None}


def _value(where: str, option: click.Parameter, value: Any) -> Any:
    if option.name == "params":
        pairs = value.items() if isinstance(value, dict) else assignments(str(value or ""), where)
        return nested(pairs)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict) or (isinstance(option, click.Option) and option.is_flag):
        expected = "a string or a list" if isinstance(value, dict) else "true or false"
        raise UserError(f"{where}: found {value!r}, expected {expected}")
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def repeatable(option: click.Parameter) -> click.Parameter:
    """Return Kedro's option; one that takes names becomes repeatable."""
    if not isinstance(option, click.Option) or option.callback not in {split_string, split_node_names}:
        return option
    assert option.name is not None
    declarations = [*option.opts, option.name]
    return Names(declarations, default=option.default, callback=option.callback, help=option.help)


OPTIONS = (
    click.option(
        "--load-versions", "-lv", cls=Names, default="", callback=checked(read_load_versions), help="ENTRY:RUN_ID,…"
    ),
    click.option(
        "--runner-params", default="", callback=checked(read_runner_params), help="max_workers=4,is_async=true"
    ),
    click.option("--config", "-c", is_eager=True, callback=read_config, help="A YAML file: run: {OPTION: VALUE, …}."),
)
