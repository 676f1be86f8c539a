"""`--only-missing-outputs`: which nodes run, and which parameters the artifacts of the others were made with."""

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
SHOWN = 3  # more differences than this are counted, not listed
NOTHING = "--only-missing-outputs: nothing was run, all outputs exist; leave the option out to make them again"
PARAMETERS = "--only-missing-outputs: what exists was made with other parameters: %s; leave the option out to use these"
OTHER_INPUTS = (
    "--only-missing-outputs: %s were made from earlier versions of what is made now; leave the option out to make "
    "them again"
)


def nodes_that_run(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> tuple[Pipeline, dict[str, str]]:
    """Those nodes of `pipeline` whose outputs are missing, as Kedro's runner will choose them.

    Kedro compares no parameters. Warns where nothing is left to run, and where an artifact that is used as it is was
    made with other values of the parameters that its node reads.

    Returns:
        The nodes, and the version of each entry that the others are skipped for: what the run consists of besides.
    """
    # The runner chooses them after all hooks that could write down what the run reads.
    chosen = SequentialRunner()._filter_pipeline_for_missing_outputs(pipeline, catalog)  # noqa: SLF001
    skipped = [node for node in pipeline.nodes if node not in set(chosen.nodes)]
    now = parameters_of(catalog).model_dump(mode="json")
    found = list(dict.fromkeys(line for node in skipped for line in _other_parameters(node, now, catalog)))
    if not chosen.nodes:
        log.warning(NOTHING)
    if found:
        rest = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        log.warning(PARAMETERS, ", ".join(found[:SHOWN] + rest))
    anew = set(chosen.all_outputs())
    older = sorted({name for node in skipped if anew & set(node.inputs) for name in node.outputs})
    if older:
        rest = [f"and {len(older) - SHOWN} more"] if len(older) > SHOWN else []
        log.warning(OTHER_INPUTS, ", ".join(older[:SHOWN] + rest))
    reused = versioned(sorted({name for node in skipped for name in node.outputs}), catalog)
    return chosen, {name: str(dataset.resolve_load_version()) for name, dataset in reused.items()}


def _other_parameters(node: Node, now: Mapping[str, Any], catalog: CatalogProtocol[Any, Any]) -> Iterator[str]:
    """`seed (0 there, 1 now)` for each value that the node reads and that differed when its outputs were made."""
    names = [name.removeprefix("params:") for name in node.inputs if name.startswith("params:")]
    for dataset in versioned(node.outputs, catalog).values():
        there = manifest_of(str(dataset.resolve_load_version()), catalog).get("parameters", {})
        for name in names if there else ():
            before, after = _values(there, name), _values(now, name)
            for key in before.keys() | after.keys():
                if before.get(key) != after.get(key):
                    yield f"{key} ({before.get(key)} there, {after.get(key)} now)"


def _values(parameters: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The values of a parameter or of all below a block, by their dotted names."""
    value: Any = parameters
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: inner for part in value for key, inner in _values(parameters, f"{name}.{part}").items()}
