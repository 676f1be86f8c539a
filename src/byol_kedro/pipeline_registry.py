"""Every pipeline by name. An explicit list: a pipeline that cannot be imported is an error, never left out."""

from collections.abc import Iterable
from importlib import import_module

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

PARTS = ("ingest", "pretrain", "extract", "baselines", "probes", "pair_model", "report")
NAMES = ("__default__", *PARTS, "evaluate", "predict")


def register_pipelines() -> dict[str, Pipeline]:
    """The pipelines that the run asks for, all of them where none is named.

    Only these are imported: torch takes seconds and half a gigabyte, and ingest needs none of it.
    """
    return build_pipelines(pipelines._requested_pipelines or NAMES)  # noqa: SLF001  (what Kedro's find_pipelines reads)


def build_pipelines(names: Iterable[str]) -> dict[str, Pipeline]:
    """The pipelines `names`, which are among `NAMES`; `__default__` goes from raw images to the report."""
    return {name: _everything() if name == "__default__" else _create(name) for name in names}


def _everything() -> Pipeline:
    return sum((_create(name) for name in ("ingest", "pretrain", "evaluate")), Pipeline([]))


def _create(name: str) -> Pipeline:
    pipeline: Pipeline = import_module(f"byol_kedro.pipelines.{name}").create_pipeline()
    return pipeline
