"""Check that a run does not read artifacts that were made from different versions of one artifact."""

from collections.abc import Mapping
from typing import Any

from kedro.io import CatalogProtocol

from byol_kedro.errors import UserError
from byol_kedro.runs.manifest import manifest_of

# Artifacts without a fingerprint of their input.
MADE_FROM = {
    "pair_metrics": "pair_embeddings",
    "pair_embedding_map": "pair_embeddings",
    "cluster_sheet": "pair_embeddings",
    "cluster_list": "pair_embeddings",
    "feature_map": "encoder",
    "feature_neighbors": "encoder",
}
# Outputs of the same node.
MADE_WITH = {"sample_grid": "data_summary", "feature_neighbors": "feature_map"}


def check_lineage(reads: Mapping[str, str], catalog: CatalogProtocol[Any, Any]) -> None:
    """Check the versions that a run reads against the manifests of the runs that wrote them.

    Args:
        reads: the version of each entry that the run reads and does not write.
        catalog: the catalog of the run.

    Raises:
        UserError: an entry was made from or with another version of an entry that the run also reads.
    """
    for entry, source in (MADE_FROM | MADE_WITH).items():
        if not {entry, source} <= reads.keys() or reads[entry] == reads[source]:
            continue
        read = manifest_of(reads[entry], catalog).get("reads", {}).get(source, {}).get("version", reads[entry])
        if entry in MADE_WITH or read != reads[source]:
            raise UserError(
                f"{entry} of {reads[entry]} belongs to {source} of {read}, but this run reads {source} of "
                f"{reads[source]}; pin both with --load-versions, or run the pipeline that makes them again"
            )
