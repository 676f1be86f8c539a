"""What `--load-versions` means for a run: what it may name, and what belongs together."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger
from byol_kedro.pipeline_registry import build_pipelines
from byol_kedro.runs.manifest import manifest_of
from byol_kedro.runs.versions import MANIFEST, pin, pinned, versioned_inputs

logger = get_logger(__name__)
ENCODER = "encoder"
FEATURES = ("latents_train", "reference_latents", "probe_metrics")  # the first that a run reads says which images


def refuse_pinned_outputs(load_versions: Mapping[str, str], pipeline: Pipeline) -> None:
    """Refuse `--load-versions` for what the same run writes: it would mix two runs."""
    for name in sorted(set(load_versions) & {MANIFEST, *pipeline.all_outputs()}):
        raise UserError(
            f"--load-versions {name}:{load_versions[name]}: this run writes {name} itself; "
            f"leave the version out, or run only pipelines that read {name}"
        )


def warn_of_pins_without_effect(
    load_versions: Mapping[str, str], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
) -> None:
    """Warn of `--load-versions` for what the run does not read, or what keeps no versions."""
    for name in sorted(load_versions.keys() - versioned_inputs(pipeline, catalog).keys()):
        logger.warning("--load-versions %s: without effect: no version of it is read in this run", name)


def pin_what_belongs_together(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Read what was made with a pinned encoder, and the images of the features, where there are newer ones.

    Which those are, the manifests tell: the newest of everything that was made with the encoder that is pinned, and the
    images that were before the run whose features are read. What is pinned itself stays, and so does what no
    manifest tells of: the nodes refuse what does not belong together.
    """
    entries = versioned_inputs(pipeline, catalog)
    images = build_pipelines(["ingest"])["ingest"].all_outputs()
    versions = {name: dataset.list_versions(full_path=False) for name, dataset in entries.items()}
    reads = cache(lambda run: manifest_of(run, catalog).get("reads", {}))

    def used(entry: str, run: str) -> str | None:
        """The version of an entry that a run has read or made."""
        if entry in reads(run):
            return str(reads(run)[entry]["version"])
        return run if run in versions[entry] else None

    encoder = pinned(entries[ENCODER]) if ENCODER in entries else None
    for name in entries.keys() - images:
        if encoder and not pinned(entries[name]):
            made = next((run for run in versions[name] if used(ENCODER, run) == encoder), None)
            if made:
                pin(entries[name], made)
    features = next((name for name in FEATURES if versions.get(name)), None)
    if features:
        run = pinned(entries[features]) or versions[features][0]
        for name in entries.keys() & images:
            seen = used(name, run)
            if seen and not pinned(entries[name]):
                pin(entries[name], seen)
