"""Which of Kedro's runners may run this project."""

from collections.abc import Mapping
from typing import Any

from kedro.io import CatalogProtocol, SharedMemoryDataCatalog
from kedro.runner import AbstractRunner, ParallelRunner
from kedro.utils import load_obj

from byol_kedro.errors import UserError

EXPECTED = "expected SequentialRunner or ThreadRunner, which give the same numbers"
TYPES = {"is_async": (bool, "True or False"), "max_workers": (int, "a whole number")}


def check_runner(name: str | None, params: Mapping[str, Any], *, is_async: bool) -> None:
    """What is typed as --runner, --runner-params and --async.

    Raises:
        UserError: there is no such runner, it is a ParallelRunner, or it does not take these parameters.
    """
    try:
        runner = load_obj(name or "SequentialRunner", "kedro.runner")
    except (AttributeError, ImportError, ValueError):
        raise UserError(f"--runner: there is no runner {name!r}; {EXPECTED}") from None
    if not isinstance(runner, type) or not issubclass(runner, AbstractRunner) or runner is AbstractRunner:
        raise UserError(f"--runner: {name} is no runner; {EXPECTED}")
    if issubclass(runner, ParallelRunner):
        raise _refusal(runner.__name__)
    for option, value in params.items():
        kind, expected = TYPES.get(option, (object, ""))
        if not isinstance(value, kind):
            raise UserError(f"--runner-params: {option} is {value!r}; expected {expected}")
    if is_async and not params.get("is_async", True):
        raise UserError("--async and --runner-params=is_async=False contradict each other; leave one of them out")
    try:
        runner(**params)
    except (TypeError, ValueError) as error:
        raise UserError(f"--runner-params: {runner.__name__} does not take {dict(params)}: {error}") from error


def refuse_processes(catalog: CatalogProtocol[Any, Any]) -> None:
    """UserError for the catalog that Kedro makes for a ParallelRunner, whoever has chosen it."""
    if isinstance(catalog, SharedMemoryDataCatalog):
        raise _refusal(ParallelRunner.__name__)


def _refusal(name: str) -> UserError:
    return UserError(
        f"--runner={name}: nodes in processes of their own would not know which versions this run reads and writes; "
        f"{EXPECTED}"
    )
