"""What `--load-versions` means for a run: what it may name, and what a pinned encoder brings with it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.errors import UserError
from byol_kedro.manifest import manifest_of
from byol_kedro.pipeline_registry import build_pipelines
from byol_kedro.versions import MANIFEST, pin, pinned, versioned_inputs

ENCODER = "encoder"


def refuse_pinned_outputs(load_versions: Mapping[str, str], pipeline: Pipeline) -> None:
    """Refuse `--load-versions` for what the same run writes: it would mix two runs."""
    for name in sorted(set(load_versions) & {MANIFEST, *pipeline.all_outputs()}):
        raise UserError(
            f"--load-versions {name}:{load_versions[name]}: this run writes {name} itself; "
            f"leave the version out, or run only pipelines that read {name}"
        )


def pin_what_belongs_to_the_encoder(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Where the encoder is pinned, read the newest of everything else that was made with this encoder.

    Which that is, the manifests tell. The pictures are those of the run whose features are read; where no features
    are read, the newest. What is pinned itself stays, and so does what was never made with this encoder: the nodes
    refuse what does not belong together.
    """
    entries = versioned_inputs(pipeline, catalog)
    encoder = pinned(entries[ENCODER]) if ENCODER in entries else None
    if encoder is None:
        return
    parts = build_pipelines(["ingest", "pretrain"])
    pictures, trained = (parts[name].all_outputs() for name in ("ingest", "pretrain"))
    reads = cache(lambda run: manifest_of(run, catalog).get("reads", {}))

    def used(entry: str, run: str) -> str | None:
        """The version of an entry that a run has read or made."""
        if entry in reads(run):
            return str(reads(run)[entry]["version"])
        return run if run in entries[entry].list_versions(full_path=False) else None

    unpinned = {name: dataset for name, dataset in entries.items() if pinned(dataset) is None}
    evaluated = ""
    for name, dataset in unpinned.items():
        runs = [] if name in pictures else dataset.list_versions(full_path=False)
        newest = next((run for run in runs if used(ENCODER, run) == encoder), None)
        if newest is not None:
            pin(dataset, newest)
            evaluated = evaluated if name in trained else max(evaluated, newest)
    for name in pictures & unpinned.keys():
        if evaluated and (version := used(name, evaluated)):
            pin(unpinned[name], version)
