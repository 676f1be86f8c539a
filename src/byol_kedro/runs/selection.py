"""Check the nodes, tags, namespaces and catalog entries that `kedro run` selects."""

from collections.abc import Iterable, Mapping

from kedro.pipeline import Pipeline

from byol_kedro.errors import UserError
from byol_kedro.runs.command_line import CHOICES
from byol_kedro.suggestions import did_you_mean

KINDS = {
    "tags": "tag", "node_names": "node", "from_nodes": "node", "to_nodes": "node", "from_inputs": "catalog entry",
    "to_outputs": "catalog entry", "namespaces": "namespace",
}  # fmt: skip


def check_selection(options: Mapping[str, Iterable[str]], pipeline: Pipeline) -> None:
    """Check every name that selects a part of `pipeline`.

    Args:
        options: names by option, as Kedro's `run` command takes them (`node_names`, `to_outputs`, …).
        pipeline: all nodes of the requested pipelines.

    Raises:
        UserError: `pipeline` has no such node, tag, namespace or catalog entry.
    """
    known: dict[str, set[str]] = {
        "tag": {tag for node in pipeline.nodes for tag in node.tags},
        "node": {node.name for node in pipeline.nodes},
        "namespace": {prefix for node in pipeline.nodes for prefix in node.namespace_prefixes},
        "catalog entry": pipeline.datasets(),
    }
    for option, kind in KINDS.items():
        for name in options.get(option) or ():
            if name not in known[kind]:
                many = "kedro registry describe PIPELINE lists the nodes and kedro viz shows their inputs and outputs"
                hint = did_you_mean(name, known[kind], many if kind in {"node", "catalog entry"} else None)
                raise UserError(f"{CHOICES[option]}: the requested pipelines have no {kind} {name!r}; {hint}")
