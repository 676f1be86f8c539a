"""Which version of each entry a run reads and writes, decided before its first node."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, CatalogProtocol, Version
from kedro.io.core import generate_timestamp
from kedro.pipeline import Pipeline

from byol_kedro.errors import UserError
from byol_kedro.files.versioned import is_version, log_ignored_versions
from byol_kedro.log import get_logger
from byol_kedro.pipeline_registry import PARTS, build_pipelines
from byol_kedro.runs.command_line import kedro_run

MANIFEST = "run_manifest"  # written by a hook before the first node, so no pipeline has it among its outputs

IMAGES = frozenset({"images_unlabeled", "images_train", "images_test"})  # what ingest makes of one source

log = get_logger(__name__)


def versioned_inputs(
    pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
) -> dict[str, AbstractVersionedDataset[Any, Any]]:
    """Every versioned entry that the run reads and does not write, in the order of their names."""
    names = sorted(name for name in pipeline.inputs() - {MANIFEST, "parameters"} if not name.startswith("params:"))
    return versioned(names, catalog)


def versioned(
    names: Iterable[str], catalog: CatalogProtocol[Any, Any]
) -> dict[str, AbstractVersionedDataset[Any, Any]]:
    """Those of the entries `names` of which each run keeps its own."""
    entries = {name: catalog.get(name) for name in names}
    return {
        name: entry
        for name, entry in entries.items()
        if isinstance(entry, AbstractVersionedDataset) and _version(entry)
    }


def versions_read(
    pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], run_params: Mapping[str, Any]
) -> dict[str, str]:
    """The version of every versioned entry that the run reads and does not write. It loads these and no newer ones.

    Raises:
        UserError: an entry, or the version of it that was asked for, is not there.
    """
    versions, missing, entries = {}, [], versioned_inputs(pipeline, catalog)
    tell_other_names(entries.values())
    for name, dataset in entries.items():
        if dataset.exists():
            versions[name] = str(dataset.resolve_load_version())
        elif pinned(dataset):
            raise UserError(_no_such_version(name, dataset))
        else:
            missing.append(name)
    if missing:
        raise UserError(_nothing_yet(missing, catalog, run_params))
    refuse_unfinished_images(versions, catalog)
    for name, version in versions.items():
        # Kedro forgets what it has resolved after each load, and a run beside this one may save meanwhile.
        pin(catalog[name], version)
    return versions


def reserve_version(run_id: str, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> tuple[Path, str]:
    """Make the run save everything under one version that sorts after all that it could have been made from.

    The newest version is the one whose name sorts last. Where the clock was set back, `run_id` would sort before what
    the run reads, and later runs would go on with the older artifacts. The folder of the manifest is created
    exclusively, so that no two runs ever have the same version.

    Args:
        run_id: Kedro's, the time at which the session began.
        pipeline: the nodes that run.
        catalog: the catalog of this run alone.

    Returns:
        The manifest's folder, still empty, and the version: `run_id`, or one millisecond after the newest.

    Raises:
        UserError: `run_id` is no time, or the folder cannot be created.
    """
    if not is_version(run_id):
        raise UserError(f"run_id {run_id!r}: a UTC time such as {generate_timestamp()} expected; leave it out")
    names = {MANIFEST, *pipeline.datasets()}
    entries = versioned(sorted(name for name in names if not name.startswith(("params:", "parameters"))), catalog)
    saved = (dataset.list_versions(full_path=False) for dataset in entries.values())
    newest = max((version for versions in saved for version in versions), default="")
    version = run_id if run_id > newest else _after(newest)
    while True:
        folder = path_of_version(entries[MANIFEST], version).parent
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            version = _after(version)
        except OSError as error:
            raise UserError(f"{folder} cannot be created: {error.strerror or error}") from error
        else:
            break
    now = generate_timestamp()
    if newest > now:
        log.warning(
            "the clock (%s) is behind the newest version (%s): this run is saved as %s, so that it is the newest; "
            "check the system clock", now, newest, version,
        )  # fmt: skip
    elif version != run_id:
        log.warning("run_id %s is taken or older than the newest version: this run is saved as %s", run_id, version)
    for dataset in entries.values():
        dataset._version = Version(pinned(dataset), version)  # noqa: SLF001  (Kedro has no public name for it)
    return folder, version


def _after(version: str) -> str:
    """The version one millisecond later. UserError where there is none."""
    form = "%Y-%m-%dT%H.%M.%S.%fZ"
    try:
        later = datetime.strptime(version, form) + timedelta(milliseconds=1)  # noqa: DTZ007  (UTC on both sides)
    except OverflowError:
        raise UserError(f"{version} is the last version that there can be; remove that folder, or rename it") from None
    return later.strftime(form)[:-4] + "Z"


def refuse_unfinished_images(versions: Mapping[str, str], catalog: CatalogProtocol[Any, Any]) -> None:
    """UserError where the newest images, by entry, are of an ingest that was killed between its splits.

    A version that was asked for is taken as it is.
    """
    asked_for = {name for name in IMAGES & set(versions) if pinned(catalog[name])}
    newest = {name: version for name, version in versions.items() if name in IMAGES - asked_for}
    if len(set(newest.values())) > 1:
        first, last = (pick(newest, key=lambda name: newest[name]) for pick in (min, max))
        raise UserError(
            f"the ingest of {newest[last]} did not finish: {last} is from there, {first} from {newest[first]}; run "
            f"ingest again, or take the older ones with --load-versions={last}:{newest[first]}"
        )


def path_of_version(dataset: AbstractVersionedDataset[Any, Any], version: str) -> Path:
    """Where `version` of a local versioned dataset lies."""
    return Path(dataset._get_versioned_path(version))  # noqa: SLF001  (Kedro has no public name for it)


def tell_other_names(entries: Iterable[AbstractVersionedDataset[Any, Any]]) -> None:
    """A line where the folders of `entries` hold what a file manager or a user has named otherwise than a version."""
    log_ignored_versions(map(entry_folder, entries))


def pinned(dataset: AbstractVersionedDataset[Any, Any]) -> str | None:
    """The version that was asked for, None for the newest."""
    load: str | None = _version(dataset).load
    return load


def pin(dataset: AbstractVersionedDataset[Any, Any], version: str) -> None:
    """Let it load `version` from now on, as `--load-versions` does."""
    dataset._version = Version(version, _version(dataset).save)  # noqa: SLF001  (Kedro has no public name for it)


def entry_folder(dataset: AbstractVersionedDataset[Any, Any]) -> Path:
    """The folder of all versions."""
    return Path(dataset._filepath)  # noqa: SLF001  (Kedro has no public name for it)


def folder(dataset: AbstractVersionedDataset[Any, Any]) -> str:
    """The folder of all versions, relative to where the command was typed when it lies below."""
    path = entry_folder(dataset)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _version(dataset: AbstractVersionedDataset[Any, Any]) -> Any:
    return dataset._version  # noqa: SLF001  (Kedro has no public name for it)


def _no_such_version(name: str, dataset: AbstractVersionedDataset[Any, Any]) -> str:
    there = dataset.list_versions(full_path=False)
    newest = ", ".join(there[:3]) + (" …" if len(there) > 3 else "") if there else "none"
    return f"--load-versions {name}:{pinned(dataset)}: no such version in {folder(dataset)}; the newest there: {newest}"


def _nothing_yet(names: list[str], catalog: CatalogProtocol[Any, Any], run_params: Mapping[str, Any]) -> str:
    """With the pipelines that make them, and those that make what these lack."""
    parts, lacking = build_pipelines(PARTS), set(names)
    makers: list[str] = []
    for part in reversed(PARTS):
        if parts[part].all_outputs() & lacking:
            makers.insert(0, part)
            lacking |= {name for name, entry in versioned_inputs(parts[part], catalog).items() if not entry.exists()}
    return (
        f"nothing has been saved yet of {', '.join(names)}, which this run reads; "
        f"make it first with: {kedro_run(makers, run_params)}"
    )
