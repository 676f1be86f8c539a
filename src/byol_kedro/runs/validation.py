"""All parameters, checked at once against the one model of what may be configured."""

import re
from collections.abc import Collection, Mapping
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
from byol_kedro.suggestions import did_you_mean

logger = get_logger(__name__)
LONGEST = 200  # characters of a value that are shown
QUOTED = re.compile("'([^']*)'")
SHOWN = 3  # more mistakes than this are counted, not listed: the message stays one line


def validated_parameters(config_loader: AbstractConfigLoader) -> Parameters:
    """The parameters of conf/, the environment and the command line, with the names of globals.yml.

    Raises:
        UserError: one line that names each parameter that is unknown, missing, of a wrong type or out of range.
    """
    try:
        return _parameters({**config_loader["globals"], **config_loader["parameters"]})
    except ValidationError as error:
        details = error.errors()
        rest = f"; and {len(details) - SHOWN} more" if len(details) > SHOWN else ""
        raise UserError("parameters: " + "; ".join(map(_explain, details[:SHOWN])) + rest) from None


def parameters_of(catalog: CatalogProtocol[Any, Any]) -> Parameters:
    """The validated parameters of the run whose catalog this is."""
    return _parameters(catalog.load("parameters"))


def with_conf_source(run_params: Mapping[str, Any], catalog: CatalogProtocol[Any, Any]) -> dict[str, Any]:
    """`run_params`, as Kedro hands them to hooks, with the `conf_source` of the run where that is not the project's."""
    given = Path(catalog.load("parameters")[CONF_SOURCE])
    usual = Path(run_params["project_path"]) / settings.CONF_SOURCE
    return {**run_params, "conf_source": None if given == usual else str(given)}


def _parameters(values: Mapping[str, Any]) -> Parameters:
    known = {str(name): value for name, value in values.items() if str(name)[:1] != "_"}
    return Parameters.model_validate(known, context={"sources": SOURCES})


def warn_of_what_has_no_effect(typed: Mapping[str, Any], inputs: Collection[str]) -> None:
    """Warn of parameters of a block that were typed for a run whose nodes read other `inputs`."""
    for block, values in typed.items():
        if isinstance(values, Mapping) and f"params:{block}" not in inputs:
            names = [f"{block}.{name}" for name in values if f"params:{block}.{name}" not in inputs]
            if names:
                logger.warning("%s: without effect: nothing in this run reads that", ", ".join(names))


def _explain(detail: ErrorDetails) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(str(detail["loc"][-1]), _fields(detail["loc"][:-1]))
        return f"{name}: there is no such parameter; {hint}"
    if detail["type"] == "missing":
        return f"{name}: missing; give it in conf/ or with --params {name}=…"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = detail["input"]
    if isinstance(value, str):
        value = masked_address(value) if name == "raw_url" else masked(value)
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        message += "; in a file of conf/ write it in quotes"
    if detail["type"] == "literal_error" and isinstance(value, str):
        hint = did_you_mean(value, QUOTED.findall(detail["ctx"]["expected"]), "")
        message += f"; {hint}" if hint else ""
    found = "" if isinstance(value, dict) else f"found {_shown(value)}, "
    return f"{name}: {found}{message[0].lower()}{message[1:]}"


def _shown(value: Any) -> str:
    """The value as it was typed: quotes around a text, none around a number."""
    number = isinstance(value, str) and re.fullmatch(r"[-+.\d][-+.\de]*", value, re.ASCII)
    text = value if number else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _fields(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Parameters
    for part in location:
        model = model.model_fields[part].annotation
    return sorted(model.model_fields) if issubclass(model, BaseModel) else []
