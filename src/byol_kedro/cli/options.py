"""The options that say with what and where a command works, for `kedro run`, `kedro results` and `kedro export`."""

import os
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from byol_kedro.cli.error_line import one_line
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expanded
from byol_kedro.runs.command_line import assignments, nested

# Any other is a path, or reads as a pattern of several folders.
ENVIRONMENT = re.compile(r"\w[\w .+@-]*")
PLACE = "byol_kedro.place"


class Params(click.Option):
    """`--params`, which counts each time that it is typed: its value is a list of texts."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:  # noqa: ARG002  # click's interface
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=1)


class Names(Params):
    """Names, separated by commas; typed several times, all of them."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        if source is not ParameterSource.COMMANDLINE:
            return value, source
        joined = ",".join(value)
        if not joined.strip(", "):
            raise click.ClickException(f"{self.opts[0]} is empty, which would mean all; name some, or leave it out")
        return joined, source


def checked(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback for click: what `read` makes of a text that was given, its UserError as one line."""

    def callback(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
        with one_line():
            return value if value is None else read(value)

    return callback


def read_params(context: click.Context, option: click.Parameter, value: Any) -> dict[str, Any]:
    """What was typed, over what a file of --config gives."""
    assert option.name is not None
    given: dict[str, Any] = (context.default_map or {}).get(option.name, {})
    if context.get_parameter_source(option.name) is not ParameterSource.COMMANDLINE:
        return given
    with one_line():
        return merged(given, nested(pair for text in value for pair in assignments(text)))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The blocks of both, and the values of `above` for names that are in both."""
    both = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            both[name] = merged(below[name], above[name])
    return both


def read_conf_source(path: str) -> str:
    """The absolute path of a configuration. UserError where nothing is there."""
    if "://" in path:
        return path
    found = expanded(path, "--conf-source").resolve()
    if not found.exists():
        raise UserError(f"--conf-source: there is no {found}; the folder is expected in which base/ lies")
    return str(found)


def read_environment(name: str | None) -> str | None:
    """The environment that was typed, or is in KEDRO_ENV. UserError where that is no name of a folder."""
    name = os.environ.get("KEDRO_ENV") or None if name is None else name
    if name is not None and not ENVIRONMENT.fullmatch(name):
        raise UserError(f"--env: found {name!r}, the name of a folder in conf/ is expected")
    return name


def with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --env, --conf-source and --params."""
    for option in (
        click.option(
            "--params", cls=Params, type=click.UNPROCESSED, default="", callback=read_params, metavar="NAME=VALUE,…",
            help=r"Parameters, with dots for blocks; may be given several times. A comma in a value is typed as \, .",
        ),
        click.option("--conf-source", callback=checked(read_conf_source), help="A folder to take instead of conf/."),
        click.option("--env", "-e", help="A folder in conf/; local unless given."),
    ):  # fmt: skip
        command = option(command)
    return command


def place(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its `place`: `env`, `conf_source` and `runtime_params` of the runs that it is about.

    What a group was given counts where its command has none.
    """

    @with_place
    @wraps(command)
    def placed(*args: Any, env: str | None, conf_source: str | None, params: dict[str, Any], **options: Any) -> None:
        meta = click.get_current_context().meta
        above = meta.get(PLACE, {"env": None, "conf_source": None, "runtime_params": {}})
        with one_line():
            meta[PLACE] = {
                "env": read_environment(above["env"] if env is None else env),
                "conf_source": conf_source or above["conf_source"],
                "runtime_params": merged(above["runtime_params"], params),
            }
        command(*args, place=meta[PLACE], **options)

    return placed
