"""Removing what old runs have saved."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kedro.utils import find_kedro_project

from byol_kedro.datasets.files import size_text
from byol_kedro.errors import UserError
from byol_kedro.results.runs import Catalog, Run, list_runs, versioned_entries
from byol_kedro.versions import MANIFEST, path_of_version


@dataclass(frozen=True)
class Removal:
    """What goes of one run: the folder of each version, its manifest's last."""

    run: Run
    folders: list[Path]


@dataclass(frozen=True)
class Plan:
    """What stays and what goes. `read`: versions of older runs that stay because a kept run read them."""

    kept: list[Run]
    read: list[tuple[str, str]]
    removals: list[Removal]

    @property
    def folders(self) -> list[Path]:
        return [folder for removal in self.removals for folder in removal.folders]


def plan(catalog: Catalog, keep: int) -> Plan:
    """Keep the newest `keep` complete runs, all others since the oldest of them, and what these read.

    A version that stays because it was read keeps its manifest, so that its command can be looked up. A version
    that belongs to no run (no manifest and no results have its name) is left alone.

    Raises:
        UserError: there are no runs, or it cannot be known what a kept run read.
    """
    runs = list_runs(catalog)
    newest = [run.run_id for run in runs if run.complete][:keep]
    if not newest:
        return Plan(runs, [], [])
    # A run without results that is newer than a kept one may still be going on.
    kept = [run for run in runs if run.run_id >= newest[-1]]
    for run in kept:
        if not run.manifest:
            raise UserError(
                f"run {run.run_id} has no {MANIFEST}, so nobody knows what it read; nothing was removed. "
                "Keep fewer runs, or delete its version of results"
            )
    old = runs[len(kept) :]
    old_ids = {run.run_id for run in old}
    read = {(name, version) for run in kept for name, version in run.reads.items() if version in old_ids}
    read |= _fine_tuned_from(kept, old, catalog)
    removals = [Removal(run, _folders(run, catalog, read)) for run in old]
    return Plan(kept, sorted(read), [removal for removal in removals if removal.folders])


def remove(removals: Sequence[Removal]) -> None:
    """Remove the versions, oldest run first. Stopped in between, it can be run again: the manifests go last.

    Raises:
        UserError: a folder cannot be removed.
    """
    for removal in reversed(removals):
        for folder in removal.folders:
            try:
                # The file that Kedro looks for goes first, so that no half of a version is ever loaded.
                (folder / folder.parent.name).unlink(missing_ok=True)
                shutil.rmtree(folder)
            except OSError as error:
                raise UserError(
                    f"could not remove {folder}: {error.strerror}; put that right and run prune again"
                ) from error


def freed_bytes(folders: Iterable[Path]) -> int:
    """What removing the folders gives back: a file that has a hard link elsewhere gives nothing."""
    stats = [path.lstat() for folder in folders for path in folder.rglob("*") if not path.is_dir()]
    going = Counter((stat.st_dev, stat.st_ino) for stat in stats)
    files = {(stat.st_dev, stat.st_ino): stat for stat in stats}
    return sum(stat.st_size for file, stat in files.items() if going[file] == stat.st_nlink)


def words(plan: Plan, freed: int, *, dry: bool) -> list[str]:
    """What was done (or would be), a line for each run that loses something and two for the whole."""
    lines = [_line(removal) for removal in plan.removals]
    if lines:
        did = "would free" if dry else "freed"
        gone = _runs(removal.run for removal in plan.removals)
        lines.append(f"{did} {size_text(freed)} ({freed} bytes): {_count(len(plan.folders), 'version')} of {gone}")
    else:
        lines.append("nothing to remove")
    lines.append(f"kept {_runs(plan.kept)}, back to {plan.kept[-1].run_id}")
    for version in sorted({version for _, version in plan.read}):
        names = ", ".join(name for name, of in plan.read if of == version)
        lines.append(f"kept of {version}, since a kept run read it: {names}")
    return lines


def _fine_tuned_from(kept: Iterable[Run], old: Iterable[Run], catalog: Catalog) -> set[tuple[str, str]]:
    """(entry, version) of the files that a kept run was told to start from by their paths."""
    # A relative path was meant from where that run was typed: the project, or where prune is typed now.
    bases = (Path.cwd(), find_kedro_project(Path.cwd()) or Path.cwd())
    named = [run.manifest.get("parameters", {}).get("pretrain", {}).get("fine_tune_from") for run in kept]
    files = {(base / path).resolve() for path in named if path for base in bases}
    return {
        (name, run.run_id)
        for name, dataset in versioned_entries(catalog).items()
        for run in old
        if path_of_version(dataset, run.run_id).resolve() in files
    }


def _folders(run: Run, catalog: Catalog, read: set[tuple[str, str]]) -> list[Path]:
    entries = versioned_entries(catalog)
    manifest = entries.pop(MANIFEST)
    going = [dataset for name, dataset in entries.items() if (name, run.run_id) not in read]
    if run.run_id not in {version for _, version in read}:
        going.append(manifest)
    # A folder and not a file: a removal that was stopped has left one.
    folders = [path_of_version(dataset, run.run_id).parent for dataset in going]
    return [folder for folder in folders if folder.is_dir()]


def _line(removal: Removal) -> str:
    run = removal.run
    return f"{run.run_id}  {run.told}, {_count(len(removal.folders), 'version')}  {run.command}"


def _runs(runs: Iterable[Run]) -> str:
    """How many, and of what states."""
    states = Counter(run.state for run in runs)
    return f"{_count(states.total(), 'run')} ({', '.join(f'{count} {state}' for state, count in states.items())})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
