"""Validate all parameters of a run."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kedro.config import AbstractConfigLoader
from kedro.framework.project import settings
from kedro.io import CatalogProtocol
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from byol_kedro.errors import UserError
from byol_kedro.files.masking import masked, masked_address
from byol_kedro.log import get_logger
from byol_kedro.parameters import Parameters
from byol_kedro.runs.config_loader import CONF_SOURCE
from byol_kedro.sources import SOURCES
from byol_kedro.suggestions import MOST, RENAMED, close_names, did_you_mean

logger = get_logger(__name__)
LONGEST = 200  # characters of a value in a message
QUOTED = re.compile("'([^']*)'")
SHOWN = 3  # errors in a message; others are counted


def validated_parameters(config_loader: AbstractConfigLoader) -> Parameters:
    """Validate the parameters of conf/, the environment and the command line, including globals.yml.

    Raises:
        UserError: parameters are unknown, missing, of the wrong type or out of range; the message names them.
    """
    try:
        return _parameters({**config_loader["globals"], **config_loader["parameters"]})
    except ValidationError as error:
        details = error.errors()
        rest = f"; and {len(details) - SHOWN} more" if len(details) > SHOWN else ""
        raise UserError("parameters: " + "; ".join(map(_explain, details[:SHOWN])) + rest) from None


def parameters_of(catalog: CatalogProtocol[Any, Any]) -> Parameters:
    """Return the validated parameters of the run with this catalog."""
    return _parameters(catalog.load("parameters"))


def with_conf_source(run_params: Mapping[str, Any], catalog: CatalogProtocol[Any, Any]) -> dict[str, Any]:
    """Return Kedro's `run_params` with the `conf_source` of the run, None if it is the default one."""
    used = Path(catalog.load("parameters")[CONF_SOURCE])
    default = Path(run_params["project_path"]) / settings.CONF_SOURCE
    return {**run_params, "conf_source": None if used == default else str(used)}


def _parameters(values: Mapping[str, Any]) -> Parameters:
    known = {str(name): value for name, value in values.items() if str(name)[:1] != "_"}
    return Parameters.model_validate(known, context={"sources": SOURCES})


def warn_of_unused_parameters(runtime_params: Mapping[str, Any], inputs: Collection[str]) -> None:
    """Warn about parameters on the command line that are not among the `inputs` of the run."""
    if "encoder_from" in runtime_params and "params:encoder_from" not in inputs:
        logger.warning(
            "no effect of encoder_from: this run imports no encoder; use --pipelines=ingest,import_encoder,evaluate"
        )
    for block, values in runtime_params.items():
        if isinstance(values, Mapping) and f"params:{block}" not in inputs:
            names = [f"{block}.{name}" for name in values if f"params:{block}.{name}" not in inputs]
            if names:
                logger.warning("no effect of %s: this run does not read it", ", ".join(names))


def _explain(detail: ErrorDetails) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{name}: there is no such parameter; {_suggestion(name)}"
    if detail["type"] == "missing":
        return f"{name}: missing; set it in conf/ or with --params {name}=…"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = detail["input"]
    if isinstance(value, str):
        value = masked_address(value) if name == "raw_url" else masked(value)
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        message += "; in a file of conf/, put it in quotes"
    if detail["type"] == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, QUOTED.findall(detail["ctx"]["expected"]), "")
        message += f"; {hint}" if hint else ""
    found = "" if isinstance(value, dict) else f"found {_format_value(value)}, "
    return f"{name}: {found}{message[0].lower()}{message[1:]}"


def _format_value(value: Any) -> str:
    """Return the value with quotes around a string, but not around a number."""
    number = isinstance(value, str) and re.fullmatch(r"[-+.\d][-+.\de]*", value, re.ASCII)
    text = value if number else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _suggestion(unknown: str) -> str:
    """Suggest a similar parameter of the same block, and those of the same name in other blocks."""
    block, _, last = unknown.rpartition(".")
    here = f"{block}." if block else ""
    names = list(_names(Parameters))
    siblings = [name.removeprefix(here) for name in names if name.startswith(here) and "." not in name[len(here) :]]
    wanted = RENAMED.get(last, last)
    same = [name for name in names if name.rpartition(".")[2] == wanted]
    inside = [name for name in same if name.startswith(here)] or same
    # Of many, the first one: blocks are in the order in which they are used.
    elsewhere = inside if len(inside) <= MOST else inside[:1]
    close = [f"{here}{name}" for name in close_names(last, siblings)]
    found = close if wanted in siblings else [*close, *elsewhere]
    return f"did you mean {' or '.join(found)}?" if found else did_you_mean(last, siblings)


def _names(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Yield the dotted names of all blocks and parameters, in their order."""
    for name, field in model.model_fields.items():
        yield f"{above}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{above}{name}.")
