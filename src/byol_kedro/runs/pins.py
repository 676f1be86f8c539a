"""Check `--load-versions` and pin the versions that belong to them."""

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
FEATURES = ("latents_train", "reference_latents", "probe_metrics")  # the first that a run reads determines the images


def check_pins(load_versions: Mapping[str, str], pipeline: Pipeline) -> None:
    """Check that `--load-versions` pins nothing that the run itself writes.

    Raises:
        UserError: a pinned entry is an output, so that the run would mix two versions of it.
    """
    for name in sorted(set(load_versions) & {MANIFEST, *pipeline.all_outputs()}):
        raise UserError(
            f"--load-versions {name}:{load_versions[name]}: this run writes {name} itself; "
            f"remove the version, or run only pipelines that read {name}"
        )


def warn_of_unused_pins(
    load_versions: Mapping[str, str], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
) -> None:
    """Warn about `--load-versions` for entries that the run does not read or that are not versioned."""
    for name in sorted(load_versions.keys() - versioned_inputs(pipeline, catalog).keys()):
        logger.warning("--load-versions %s has no effect: this run reads no version of it", name)


def pin_related_versions(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Pin everything that was computed with a pinned encoder, and the images that the features were computed from.

    The manifests contain this: the newest version of each entry that was computed with the pinned encoder, and the
    images that the run with these features has read. Explicit pins are kept. Entries without a manifest are not
    pinned; the nodes check that their inputs belong together.
    """
    entries = versioned_inputs(pipeline, catalog)
    images = build_pipelines(["ingest"])["ingest"].all_outputs()
    versions = {name: dataset.list_versions(full_path=False) for name, dataset in entries.items()}
    reads = cache(lambda run: manifest_of(run, catalog).get("reads", {}))

    def used(entry: str, run: str) -> str | None:
        """Return the version of an entry that a run has read or written."""
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
