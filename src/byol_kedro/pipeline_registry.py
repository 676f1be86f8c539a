"""The pipelines by name.

The list is explicit, because Kedro's `find_pipelines` skips a pipeline that cannot be imported.
"""

from collections.abc import Iterable
from importlib import import_module

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

PARTS = ("ingest", "pretrain", "extract", "baselines", "probes", "pair_model", "report")
NAMES = ("__default__", *PARTS, "evaluate", "curate", "predict", "explore", "import_encoder")


def register_pipelines() -> dict[str, Pipeline]:
    """Return the pipelines that the run requests; all of them if it requests none by name.

    Only these are imported: torch takes seconds and half a gigabyte, and `ingest` does not need it.
    """
    return build_pipelines(pipelines._requested_pipelines or NAMES)  # noqa: SLF001  (only find_pipelines reads it)


def build_pipelines(names: Iterable[str]) -> dict[str, Pipeline]:
    """Return the pipelines `names`, a subset of `NAMES`; `__default__` runs from raw images to the report."""
    return {name: _default() if name == "__default__" else _create(name) for name in names}


def _default() -> Pipeline:
    return sum((_create(name) for name in ("ingest", "pretrain", "evaluate")), Pipeline([]))


def _create(name: str) -> Pipeline:
    pipeline: Pipeline = import_module(f"byol_kedro.pipelines.{name}").create_pipeline()
    return pipeline
