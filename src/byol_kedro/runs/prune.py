"""Removing what old runs have saved."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project

from byol_kedro.errors import UserError
from byol_kedro.files.atomic import size_text
from byol_kedro.files.versioned import is_version, remove_leftovers_of_versions
from byol_kedro.runs.history import Catalog, Run, data_root, list_runs, versioned_entries
from byol_kedro.runs.places import named_paths, needed_places, place_of
from byol_kedro.runs.versions import MANIFEST, entry_folder, path_of_version


@dataclass(frozen=True)
class Removal:
    """What goes of one run: the folder of each version, its manifest's last. Of a link goes the link alone."""

    run: Run
    folders: list[Path]


@dataclass(frozen=True)
class Plan:
    """What stays and what goes.

    `read`: versions of older runs that stay because a kept run read them. `elsewhere`: folders of their versions that
    stay because links above them lead out of data_root.
    """

    kept: list[Run]
    read: list[tuple[str, str]]
    elsewhere: list[Path]
    removals: list[Removal]

    @property
    def folders(self) -> list[Path]:
        return [folder for removal in self.removals for folder in removal.folders]


def plan(catalog: Catalog, keep: int) -> Plan:
    """Keep the newest `keep` complete runs, all others since the oldest of them, and what these read.

    Read is what the manifest of a kept run says, every file that a parameter of it or one of today's names, and what
    links of a kept version lead to. A run of which a version stays keeps its manifest and the files that its own
    parameters name, so that its command can be typed again. A version that belongs to no run (no manifest and no
    results have its name) is left alone.

    Raises:
        UserError: there are no runs, or it cannot be known what a kept run read.
    """
    runs = list_runs(catalog)
    complete = [position for position, run in enumerate(runs) if run.complete][:keep]
    if not complete:
        return Plan(runs, [], [], [])
    # A run without results that is newer than a kept one may still be going on.
    kept, old = runs[: complete[-1] + 1], runs[complete[-1] + 1 :]
    for run in kept:
        if not run.manifest:
            raise UserError(
                f"run {run.run_id} has no {MANIFEST}, so nobody knows what it read; nothing was removed. "
                "Keep fewer runs, or delete its version of results"
            )
    named = [catalog.load("parameters"), *(run.manifest.get("parameters") for run in kept)]
    needed, root = needed_places([*_saved_or_read(kept, catalog), *_named(named)]), data_root(catalog)
    read, elsewhere, removals = [], [], []
    for run in old:
        folders = _folders(run, catalog)
        stay = [name for name, folder in folders.items() if place_of(folder) in needed]
        away = [name for name in folders if name not in stay and not _is_below(folders[name], root)]
        if stay:
            needed |= needed_places(_named([run.manifest.get("parameters")]))
        read += [(name, run.run_id) for name in stay]
        elsewhere += [folders[name] for name in away]
        also = [MANIFEST] if stay or away else []
        removals.append(Removal(run, [folders[name] for name in folders if name not in {*stay, *away, *also}]))
    return Plan(kept, sorted(read), elsewhere, [removal for removal in removals if removal.folders])


def remove(removals: Sequence[Removal]) -> None:
    """Remove the versions, oldest run first. Stopped in between, it can be run again: the manifests go last.

    Raises:
        UserError: a folder cannot be removed.
    """
    for removal in reversed(removals):
        for folder in removal.folders:
            try:
                if folder.is_symlink():
                    folder.unlink()
                    continue
                # The file that Kedro looks for goes first, so that no half of a version is ever loaded.
                file = folder / folder.parent.name
                if file.is_symlink() or file.is_file():
                    file.unlink()
                shutil.rmtree(folder)
            except FileNotFoundError:
                continue  # another prune is at it
            except OSError as error:
                raise UserError(
                    f"could not remove {folder}: {error.strerror}; put that right and run prune again"
                ) from error


def remove_leftovers(catalog: Catalog) -> None:
    """Remove what killed processes have left beside the versions that stay."""
    for dataset in versioned_entries(catalog).values():
        remove_leftovers_of_versions(entry_folder(dataset))


def freed_bytes(folders: Iterable[Path]) -> int:
    """What removing the folders gives back: a file that has a hard link elsewhere gives nothing, nor does a link."""
    real = (folder for folder in folders if not folder.is_symlink())
    stats = [path.lstat() for folder in real for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
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
    if plan.elsewhere:
        count = _count(len(plan.elsewhere), "version")
        lines.append(f"left alone: {count} that a link puts outside of data_root, the first is {plan.elsewhere[0]}")
    return lines


def _named(parameters: list[Any]) -> Iterator[Path]:
    """Every path that is a value of nested parameters."""
    # A relative path was meant from where that run was typed: the project, or where prune is typed now.
    return named_paths(parameters, (Path.cwd(), find_kedro_project(Path.cwd()) or Path.cwd()))


def _saved_or_read(kept: Iterable[Run], catalog: Catalog) -> Iterator[Path]:
    """The folders of all versions that the runs `kept` have saved or read, and the files in them."""
    entries = versioned_entries(catalog)
    for run in kept:
        versions = dict.fromkeys(entries, run.run_id) | run.reads
        for name, version in versions.items():
            if name in entries and is_version(version):
                folder = path_of_version(entries[name], version).parent
                yield folder
                if folder.is_dir():
                    yield from folder.iterdir()


def _folders(run: Run, catalog: Catalog) -> dict[str, Path]:
    """The folder of the run's version by entry, that of the manifest last."""
    entries = versioned_entries(catalog)
    entries[MANIFEST] = entries.pop(MANIFEST)
    folders = {name: path_of_version(dataset, run.run_id).parent for name, dataset in entries.items()}
    # A folder and not a file: a removal that was stopped has left one.
    return {name: folder for name, folder in folders.items() if folder.is_symlink() or folder.is_dir()}


def _is_below(folder: Path, root: Path) -> bool:
    """Whether the folder of a version really lies below `root`, or where the catalog puts this one entry instead."""
    above = root if folder.is_relative_to(root) else folder.parents[1]
    return place_of(folder).is_relative_to(above.resolve())


def _line(removal: Removal) -> str:
    run = removal.run
    return f"{run.run_id}  {run.told}, {_count(len(removal.folders), 'version')}  {run.command}"


def _runs(runs: Iterable[Run]) -> str:
    """How many, and of what states."""
    states = Counter(run.state for run in runs)
    return f"{_count(states.total(), 'run')} ({', '.join(f'{count} {state}' for state, count in states.items())})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
