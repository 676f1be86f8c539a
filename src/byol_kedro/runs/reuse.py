"""`--only-missing-outputs`: which nodes run, and with which parameters existing outputs were made."""

from collections.abc import Iterator, Mapping
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from byol_kedro.log import get_logger
from byol_kedro.runs.manifest import manifest_of
from byol_kedro.runs.validation import parameters_of
from byol_kedro.runs.versions import versioned

log = get_logger(__name__)
SHOWN = 3  # differences in the warning; others are counted
NOTHING = "--only-missing-outputs: nothing was run, because all outputs exist; remove the option to make them again"
PARAMETERS = (
    "--only-missing-outputs: existing outputs were made with other parameters: %s; remove the option to make them again"
)
OTHER_INPUTS = (
    "--only-missing-outputs: %s were made from earlier versions of outputs that this run makes again; remove the "
    "option to make them again"
)


def nodes_to_run(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> tuple[Pipeline, dict[str, str]]:
    """Return the nodes of `pipeline` with missing outputs, as Kedro's runner selects them.

    Kedro does not compare parameters. Logs a warning if no node is left, and if a reused output was made with other
    values of the parameters that its node reads.

    Args:
        pipeline: the requested nodes.
        catalog: the catalog of the run.

    Returns:
        The nodes that run, and the version of each output of the skipped ones.
    """
    # The runner selects them after the last hook that could record what the run reads, and has no public method for it.
    chosen = SequentialRunner()._filter_pipeline_for_missing_outputs(pipeline, catalog)  # noqa: SLF001
    skipped = [node for node in pipeline.nodes if node not in set(chosen.nodes)]
    now = parameters_of(catalog).model_dump(mode="json")
    found = list(dict.fromkeys(line for node in skipped for line in _other_parameters(node, now, catalog)))
    if not chosen.nodes:
        log.warning(NOTHING)
    if found:
        log.warning(PARAMETERS, _listed(found))
    anew = set(chosen.all_outputs())
    older = sorted({name for node in skipped if anew & set(node.inputs) for name in node.outputs})
    if older:
        log.warning(OTHER_INPUTS, _listed(older))
    reused = versioned(sorted({name for node in skipped for name in node.outputs}), catalog)
    return chosen, {name: str(dataset.resolve_load_version()) for name, dataset in reused.items()}


def _listed(items: list[str]) -> str:
    """The first `SHOWN` items, and how many more there are."""
    rest = [f"and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return ", ".join(items[:SHOWN] + rest)


def _other_parameters(node: Node, now: Mapping[str, Any], catalog: CatalogProtocol[Any, Any]) -> Iterator[str]:
    """Yield `seed (0 before, 1 now)` for each parameter of the node that has changed since its outputs were made."""
    names = [name.removeprefix("params:") for name in node.inputs if name.startswith("params:")]
    for dataset in versioned(node.outputs, catalog).values():
        earlier = manifest_of(str(dataset.resolve_load_version()), catalog).get("parameters", {})
        for name in names if earlier else ():
            before, after = _values(earlier, name), _values(now, name)
            for key in before.keys() | after.keys():
                if before.get(key) != after.get(key):
                    yield f"{key} ({before.get(key)} before, {after.get(key)} now)"


def _values(parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the values of a parameter or a block by dotted name."""
    value: Any = parameters
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: inner for part in value for key, inner in _values(parameters, f"{name}.{part}").items()}
