"""Which version of each entry a run reads, decided before its first node."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, CatalogProtocol
from kedro.pipeline import Pipeline

from byol_kedro.errors import UserError
from byol_kedro.pipeline_registry import PARTS, build_pipelines

MANIFEST = "run_manifest"  # written by a hook before the first node, so no pipeline has it among its outputs

PICTURES = frozenset({"images_unlabeled", "images_train", "images_test"})  # what ingest makes of one source


def refuse_pinned_outputs(load_versions: Mapping[str, str], pipeline: Pipeline) -> None:
    """Refuse `--load-versions` for what the same run writes: it would mix two runs."""
    for name in sorted(set(load_versions) & {MANIFEST, *pipeline.all_outputs()}):
        raise UserError(
            f"--load-versions {name}:{load_versions[name]}: this run writes {name} itself; "
            f"leave the version out, or run only pipelines that read {name}"
        )


def versions_read(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], env: str | None) -> dict[str, str]:
    """The version of every versioned entry that the run reads and does not write.

    Raises:
        UserError: an entry, or the version of it that was asked for, is not there.
    """
    versions, missing = {}, []
    for name in sorted(pipeline.inputs() - {MANIFEST, "parameters"}):
        dataset = None if name.startswith("params:") else catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset) or not _version(dataset):
            continue
        if dataset.exists():
            versions[name] = str(dataset.resolve_load_version())
        elif _version(dataset).load:
            raise UserError(_no_such_version(name, dataset))
        else:
            missing.append(name)
    if missing:
        raise UserError(_nothing_yet(missing, env))
    refuse_unfinished_pictures(versions, catalog)
    return versions


def remove_halves(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
    """Of a run that has failed: what a node wrote before it could not write the rest.

    Kedro saves the outputs of a node one after the other, and pictures are only read when they are saved.
    """
    for node in pipeline.nodes:
        entries = [catalog.get(name) for name in node.outputs]
        versioned = [entry for entry in entries if isinstance(entry, AbstractVersionedDataset) and _version(entry)]
        paths = [path_of_version(entry, str(entry.resolve_save_version())) for entry in versioned]
        written = [path for path in paths if path.exists()]
        if len(written) < len(paths):
            for path in written:
                shutil.rmtree(path.parent)


def refuse_unfinished_pictures(versions: Mapping[str, str], catalog: CatalogProtocol[Any, Any]) -> None:
    """UserError where the newest pictures, by entry, are of an ingest that was killed between its splits.

    A version that was asked for is taken as it is.
    """
    asked_for = {name for name in PICTURES & set(versions) if _version(catalog[name]).load}
    newest = {name: version for name, version in versions.items() if name in PICTURES - asked_for}
    if len(set(newest.values())) > 1:
        first, last = (pick(newest, key=lambda name: newest[name]) for pick in (min, max))
        raise UserError(
            f"the ingest of {newest[last]} did not finish: {last} is from there, {first} from {newest[first]}; run "
            f"ingest again, or take the older ones with --load-versions={last}:{newest[first]}"
        )


def path_of_version(dataset: AbstractVersionedDataset[Any, Any], version: str) -> Path:
    """Where `version` of a local versioned dataset lies."""
    return Path(dataset._get_versioned_path(version))  # noqa: SLF001  (Kedro has no public name for it)


def folder(dataset: AbstractVersionedDataset[Any, Any]) -> str:
    """The folder of all versions, relative to where the command was typed when it lies below."""
    path = Path(dataset._filepath)  # noqa: SLF001  (Kedro has no public name for it)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _version(dataset: AbstractVersionedDataset[Any, Any]) -> Any:
    return dataset._version  # noqa: SLF001  (Kedro has no public name for it)


def _no_such_version(name: str, dataset: AbstractVersionedDataset[Any, Any]) -> str:
    there = dataset.list_versions(full_path=False)
    newest = ", ".join(there[:3]) + (" …" if len(there) > 3 else "") if there else "none"
    wanted = _version(dataset).load
    return f"--load-versions {name}:{wanted}: no such version in {folder(dataset)}; the newest there: {newest}"


def _nothing_yet(names: list[str], env: str | None) -> str:
    makers = [key for key, pipeline in build_pipelines(PARTS).items() if pipeline.all_outputs() & set(names)]
    option = f" --env={env}" if env else ""
    return (
        f"nothing has been saved yet of {', '.join(names)}, which this run reads; "
        f"make it first with: kedro run --pipelines={','.join(makers)}{option}"
    )
