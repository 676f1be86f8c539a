"""Check which of Kedro's runners is used, and with how many threads nodes compute."""

import os
from collections.abc import Mapping
from inspect import signature
from typing import Any

from kedro.io import CatalogProtocol, SharedMemoryDataCatalog
from kedro.runner import AbstractRunner, ParallelRunner
from kedro.utils import load_obj

from byol_kedro.errors import UserError
from byol_kedro.files.cores import usable_cores

RUNNERS = "SequentialRunner or ThreadRunner"


def check_runner(name: str | None, params: Mapping[str, Any]) -> None:
    """Check --runner and --runner-params.

    Args:
        name: the class, as Kedro looks it up; None for the default.
        params: its arguments.

    Raises:
        UserError: there is no such runner, it is a ParallelRunner, or it does not take these parameters.
    """
    try:
        kind = load_obj("SequentialRunner" if name is None else name, "kedro.runner")
    except (ImportError, AttributeError, ValueError):
        kind = None
    if not (isinstance(kind, type) and issubclass(kind, AbstractRunner) and kind is not AbstractRunner):
        raise UserError(f"--runner: there is no runner {name!r}; expected {RUNNERS}")
    if issubclass(kind, ParallelRunner):
        raise _refusal(kind.__name__)
    unknown = sorted(params.keys() - signature(kind).parameters.keys())
    if unknown:
        raise UserError(f"--runner-params: {kind.__name__} has no {', '.join(unknown)}")
    workers = params.get("max_workers")
    if workers is not None and not (type(workers) is int and workers > 0):
        raise UserError(f"--runner-params: max_workers: found {workers!r}, expected a positive integer")


def refuse_parallel_runner(catalog: CatalogProtocol[Any, Any]) -> None:
    """Refuse the catalog that Kedro creates for a ParallelRunner.

    Raises:
        UserError: it is such a catalog.
    """
    if isinstance(catalog, SharedMemoryDataCatalog):
        raise _refusal(ParallelRunner.__name__)


def limit_torch_threads() -> None:
    """Give torch no more threads than the process may use cores, unless OMP_NUM_THREADS sets their number.

    torch does not know the quota of a container, and threads without a core make the others wait.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    import torch  # noqa: PLC0415  # takes a second to import

    torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))


def _refusal(name: str) -> UserError:
    return UserError(
        f"--runner={name}: nodes in separate processes would not use the versions of this run; "
        f"expected {RUNNERS}, which give the same numbers"
    )
