"""Resolve the version of each entry that a run reads and writes, before its first node.

Kedro has no public API for the version and the folder of a dataset; all access to its private attributes is here.
"""

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

MANIFEST = "run_manifest"  # written by a hook, so it is not an output of any pipeline

IMAGES = frozenset({"images_unlabeled", "images_train", "images_test"})  # written by ingest

log = get_logger(__name__)


def versioned_inputs(
    pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
) -> dict[str, AbstractVersionedDataset[Any, Any]]:
    """Return every versioned entry that the run reads and does not write, sorted by name."""
    names = sorted(name for name in pipeline.inputs() - {MANIFEST, "parameters"} if not name.startswith("params:"))
    return versioned(names, catalog)


def versioned(
    names: Iterable[str], catalog: CatalogProtocol[Any, Any]
) -> dict[str, AbstractVersionedDataset[Any, Any]]:
    """Return the versioned entries among `names`."""
    entries = {name: catalog.get(name) for name in names}
    return {
        name: entry
        for name, entry in entries.items()
        if isinstance(entry, AbstractVersionedDataset) and _version(entry)
    }


def versions_read(
    pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], run_params: Mapping[str, Any]
) -> dict[str, str]:
    """Pin the version of every versioned entry that the run reads and does not write.

    Returns:
        The versions by entry.

    Raises:
        UserError: an entry has no version, or not the one that was requested.
    """
    versions, missing, entries = {}, [], versioned_inputs(pipeline, catalog)
    warn_of_ignored_folders(entries.values())
    for name, dataset in entries.items():
        if dataset.exists():
            versions[name] = str(dataset.resolve_load_version())
        elif pinned(dataset):
            raise UserError(_no_such_version(name, dataset))
        elif not getattr(dataset, "optional", False):
            missing.append(name)
    if missing:
        raise UserError(_missing_entries(missing, catalog, run_params))
    check_ingest_finished(versions, catalog)
    for name, version in versions.items():
        # Kedro resolves the newest version at each load, and a parallel run may save one meanwhile.
        pin(catalog[name], version)
    return versions


def reserve_version(run_id: str, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> tuple[Path, str]:
    """Make the run save everything under one version that sorts after all existing ones.

    The newest version is the one that sorts last. If the clock was set back, `run_id` would sort before the versions
    that the run reads, and later runs would read the older artifacts. The folder of the manifest is created
    exclusively, so that two runs never share a version.

    Args:
        run_id: Kedro's, the start time of the session.
        pipeline: the nodes that run.
        catalog: the catalog of this run.

    Returns:
        The empty folder of the manifest, and the version: `run_id`, or one millisecond after the newest version.

    Raises:
        UserError: `run_id` is not a time, or the folder cannot be created.
    """
    if not is_version(run_id):
        raise UserError(
            f"run_id: found {run_id!r}, expected a UTC time such as {generate_timestamp()}; remove the argument"
        )
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
            "the clock (%s) is behind the newest version (%s): this run is saved as %s to be the newest; check the "
            "system clock", now, newest, version,
        )  # fmt: skip
    elif version != run_id:
        log.warning("run_id %s exists or is older than the newest version: this run is saved as %s", run_id, version)
    for dataset in entries.values():
        dataset._version = Version(pinned(dataset), version)  # noqa: SLF001  (see above)
    return folder, version


def _after(version: str) -> str:
    """Return the version one millisecond later."""
    form = "%Y-%m-%dT%H.%M.%S.%fZ"
    try:
        later = datetime.strptime(version, form) + timedelta(milliseconds=1)  # noqa: DTZ007  (UTC on both sides)
    except OverflowError:
        raise UserError(f"no version can be newer than {version}; remove or rename that folder") from None
    return later.strftime(form)[:-4] + "Z"


def check_ingest_finished(versions: Mapping[str, str], catalog: CatalogProtocol[Any, Any]) -> None:
    """Check that the newest images of all splits are from one run; pinned versions are not checked.

    Raises:
        UserError: the newest ingest was killed between two splits.
    """
    pins = {name for name in IMAGES & set(versions) if pinned(catalog[name])}
    newest = {name: version for name, version in versions.items() if name in IMAGES - pins}
    if len(set(newest.values())) > 1:
        first, last = (pick(newest, key=lambda name: newest[name]) for pick in (min, max))
        raise UserError(
            f"the ingest of {newest[last]} did not finish: {last} is from it, {first} from {newest[first]}; run "
            f"ingest again, or use the older images with --load-versions={last}:{newest[first]}"
        )


def path_of_version(dataset: AbstractVersionedDataset[Any, Any], version: str) -> Path:
    """Return the path of `version` of a local versioned dataset."""
    folder = entry_folder(dataset)
    return folder / version / folder.name


def warn_of_ignored_folders(entries: Iterable[AbstractVersionedDataset[Any, Any]]) -> None:
    """Warn about subfolders of `entries` that are ignored, because their names are not versions."""
    log_ignored_versions(map(entry_folder, entries))


def pinned(dataset: AbstractVersionedDataset[Any, Any]) -> str | None:
    """Return the pinned version, None for the newest."""
    load: str | None = _version(dataset).load
    return load


def pin(dataset: AbstractVersionedDataset[Any, Any], version: str) -> None:
    """Make the dataset load `version`, as `--load-versions` does."""
    dataset._version = Version(version, _version(dataset).save)  # noqa: SLF001  (see above)


def entry_folder(dataset: AbstractVersionedDataset[Any, Any]) -> Path:
    """Return the folder of all versions."""
    return Path(dataset._filepath)  # noqa: SLF001  (see above)


def display_folder(dataset: AbstractVersionedDataset[Any, Any]) -> str:
    """Return the folder of all versions, relative to the working directory if it is below it."""
    path = entry_folder(dataset)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _version(dataset: AbstractVersionedDataset[Any, Any]) -> Any:
    return dataset._version  # noqa: SLF001  (see above)


def _no_such_version(name: str, dataset: AbstractVersionedDataset[Any, Any]) -> str:
    existing = dataset.list_versions(full_path=False)
    newest = ", ".join(existing[:3]) + (" …" if len(existing) > 3 else "") if existing else "none"
    folder = display_folder(dataset)
    return f"--load-versions {name}:{pinned(dataset)}: no such version in {folder}; newest versions: {newest}"


def _missing_entries(names: list[str], catalog: CatalogProtocol[Any, Any], run_params: Mapping[str, Any]) -> str:
    """Return the message for entries without a version, with the pipelines that make them and their missing inputs."""
    parts, lacking = build_pipelines(PARTS), set(names)
    makers: list[str] = []
    for part in reversed(PARTS):
        if parts[part].all_outputs() & lacking:
            makers.insert(0, part)
            lacking |= {name for name, entry in versioned_inputs(parts[part], catalog).items() if not entry.exists()}
    return (
        f"nothing has been saved yet for {', '.join(names)}, which this run reads; "
        f"make it first with: {kedro_run(makers, run_params)}"
    )
