"""The options `--env`, `--conf-source` and `--params` of `kedro run`, `results`, `export` and `similar`."""

import os
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from byol_kedro.cli.error_line import print_user_errors
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expanded
from byol_kedro.runs.command_line import assignments, nested

# Other names are paths or patterns.
ENVIRONMENT = re.compile(r"\w[\w .+@-]*")
SESSION = "byol_kedro.session"


class Params(click.Option):
    """`--params`, which may be repeated; its value is a list of strings."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:  # noqa: ARG002  # click's interface
        """Append each value."""
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=1)


class Names(Params):
    """Comma-separated names; may be repeated."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Join the repeated values with commas; an empty list is an error, because it would select everything."""
        value, source = super().consume_value(ctx, opts)
        if source is not ParameterSource.COMMANDLINE:
            return value, source
        joined = ",".join(value)
        if not joined.strip(", "):
            raise click.ClickException(f"{self.opts[0]} is empty; give at least one name or remove the option")
        return joined, source


def checked(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a click callback that parses a value with `read` and reports its UserError on one line."""

    def callback(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
        with print_user_errors():
            return value if value is None else read(value)

    return callback


def read_params(context: click.Context, option: click.Parameter, value: Any) -> dict[str, Any]:
    """Return the parameters of the command line merged into those of a --config file."""
    assert option.name is not None
    given: dict[str, Any] = (context.default_map or {}).get(option.name, {})
    if context.get_parameter_source(option.name) is not ParameterSource.COMMANDLINE:
        return given
    with print_user_errors():
        return merged(given, nested(pair for text in value for pair in assignments(text)))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested dicts; `above` takes precedence."""
    both = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            both[name] = merged(below[name], above[name])
    return both


def read_conf_source(path: str) -> str:
    """Return the absolute path of a configuration folder.

    Raises:
        UserError: the path does not exist.
    """
    if "://" in path:
        return path
    found = expanded(path, "--conf-source").resolve()
    if not found.exists():
        raise UserError(f"--conf-source: {found} does not exist; expected a folder that contains base/")
    return str(found)


def read_environment(name: str | None) -> str | None:
    """Return the environment `name`, by default that of KEDRO_ENV.

    Raises:
        UserError: the name cannot be that of a folder.
    """
    name = os.environ.get("KEDRO_ENV") or None if name is None else name
    if name is not None and not ENVIRONMENT.fullmatch(name):
        raise UserError(f"--env: found {name!r}, expected the name of a folder in conf/")
    return name


def add_session_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --env, --conf-source and --params to a command."""
    for option in (
        click.option(
            "--params", cls=Params, type=click.UNPROCESSED, default="", callback=read_params, metavar="NAME=VALUE,…",
            help=r"Parameters, with dots for blocks; may be repeated. A comma in a value is typed as \, .",
        ),
        click.option("--conf-source", callback=checked(read_conf_source), help="Configuration folder."),
        click.option("--env", "-e", help="Environment, a folder in conf/; local by default."),
    ):  # fmt: skip
        command = option(command)
    return command


def session_options(command: Callable[..., None]) -> Callable[..., None]:
    """Pass `session_options` to a command: `env`, `conf_source` and `runtime_params` for a Kedro session.

    A subcommand inherits the options of its group.
    """

    @add_session_options
    @wraps(command)
    def wrapped(*args: Any, env: str | None, conf_source: str | None, params: dict[str, Any], **options: Any) -> None:
        meta = click.get_current_context().meta
        above = meta.get(SESSION, {"env": None, "conf_source": None, "runtime_params": {}})
        with print_user_errors():
            meta[SESSION] = {
                "env": read_environment(above["env"] if env is None else env),
                "conf_source": conf_source or above["conf_source"],
                "runtime_params": merged(above["runtime_params"], params),
            }
        command(*args, session_options=meta[SESSION], **options)

    return wrapped
