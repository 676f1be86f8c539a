"""Remove the artifacts of old runs."""

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
from byol_kedro.runs.places import canonical_path, paths_in, required_paths
from byol_kedro.runs.versions import MANIFEST, entry_folder, path_of_version


@dataclass(frozen=True)
class Removal:
    """The folders to remove of one run, that of its manifest last. Links are removed, not their targets."""

    run: Run
    folders: list[Path]


@dataclass(frozen=True)
class Plan:
    """What to keep and what to remove.

    Attributes:
        kept: runs that are kept completely.
        read: (entry, version) of older runs that are kept because a kept run read them.
        elsewhere: folders of older runs that are kept because a link puts them outside of data_root.
        removals: what to remove, by run.
    """

    kept: list[Run]
    read: list[tuple[str, str]]
    elsewhere: list[Path]
    removals: list[Removal]

    @property
    def folders(self) -> list[Path]:
        """All folders to remove."""
        return [folder for removal in self.removals for folder in removal.folders]


def plan(catalog: Catalog, keep: int) -> Plan:
    """Plan to keep the newest `keep` complete runs, all other runs since the oldest of them, and what these read.

    A kept run has read the versions in its manifest, every file that its parameters or the current ones name, and the
    targets of links in its versions. An older run with a kept version keeps its manifest and the files that its
    parameters name, so that it can be reproduced. A version without manifest and results is not touched.

    Args:
        catalog: the catalog of the environment.
        keep: number of complete runs.

    Raises:
        UserError: there are no runs, or a kept run has no manifest, so that its inputs are unknown.
    """
    runs = list_runs(catalog)
    complete = [position for position, run in enumerate(runs) if run.complete][:keep]
    if not complete:
        return Plan(runs, [], [], [])
    # A run without results that is newer than a kept one may still be running.
    kept, old = runs[: complete[-1] + 1], runs[complete[-1] + 1 :]
    for run in kept:
        if not run.manifest:
            raise UserError(
                f"run {run.run_id} has no {MANIFEST}, so its inputs are unknown; nothing was removed. "
                "Keep fewer runs, or delete its version of results"
            )
    named = [catalog.load("parameters"), *(run.manifest.get("parameters") for run in kept)]
    needed, root = required_paths([*_saved_or_read(kept, catalog), *_named(named)]), data_root(catalog)
    read, elsewhere, removals = [], [], []
    for run in old:
        folders = _folders(run, catalog)
        needed_here = [name for name, folder in folders.items() if canonical_path(folder) in needed]
        away = [name for name in folders if name not in needed_here and not _is_below(folders[name], root)]
        if needed_here:
            needed |= required_paths(_named([run.manifest.get("parameters")]))
        read += [(name, run.run_id) for name in needed_here]
        elsewhere += [folders[name] for name in away]
        also = [MANIFEST] if needed_here or away else []
        removals.append(Removal(run, [folders[name] for name in folders if name not in {*needed_here, *away, *also}]))
    return Plan(kept, sorted(read), elsewhere, [removal for removal in removals if removal.folders])


def remove(removals: Sequence[Removal]) -> None:
    """Remove versions, oldest run first and manifests last, so that an interrupted prune can be repeated.

    Raises:
        UserError: a folder cannot be removed.
    """
    for removal in reversed(removals):
        for folder in removal.folders:
            try:
                if folder.is_symlink():
                    folder.unlink()
                    continue
                # The file that Kedro looks for is removed first, so that no partial version is loaded.
                file = folder / folder.parent.name
                if file.is_symlink() or file.is_file():
                    file.unlink()
                shutil.rmtree(folder)
            except FileNotFoundError:
                continue  # removed by another prune
            except OSError as error:
                raise UserError(f"cannot remove {folder}: {error.strerror}; fix this and run prune again") from error


def remove_leftovers(catalog: Catalog) -> None:
    """Remove temporary files of killed processes."""
    for dataset in versioned_entries(catalog).values():
        remove_leftovers_of_versions(entry_folder(dataset))


def freed_bytes(folders: Iterable[Path]) -> int:
    """Return the bytes that removing the folders frees; links and files with a hard link elsewhere free nothing."""
    real = (folder for folder in folders if not folder.is_symlink())
    stats = [path.lstat() for folder in real for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    links = Counter((stat.st_dev, stat.st_ino) for stat in stats)
    files = {(stat.st_dev, stat.st_ino): stat for stat in stats}
    return sum(stat.st_size for file, stat in files.items() if links[file] == stat.st_nlink)


def summary_lines(plan: Plan, freed: int, *, dry: bool) -> list[str]:
    """Return the lines to print: one for each run with removals, then totals. `dry`: nothing was removed."""
    lines = [_line(removal) for removal in plan.removals]
    if lines:
        action = "would free" if dry else "freed"
        runs = _runs(removal.run for removal in plan.removals)
        lines.append(f"{action} {size_text(freed)} ({freed} bytes): {_count(len(plan.folders), 'version')} of {runs}")
    else:
        lines.append("nothing to remove")
    lines.append(f"kept {_runs(plan.kept)}, back to {plan.kept[-1].run_id}")
    for version in sorted({version for _, version in plan.read}):
        names = ", ".join(name for name, of in plan.read if of == version)
        lines.append(f"kept from {version}, because a kept run read it: {names}")
    if plan.elsewhere:
        count = _count(len(plan.elsewhere), "version")
        lines.append(f"kept {count} that a link puts outside of data_root, such as {plan.elsewhere[0]}")
    return lines


def _named(parameters: list[Any]) -> Iterator[Path]:
    """Yield every path in nested parameters."""
    # A relative path was relative to the working directory of that run: the project, or the current one.
    return paths_in(parameters, (Path.cwd(), find_kedro_project(Path.cwd()) or Path.cwd()))


def _saved_or_read(kept: Iterable[Run], catalog: Catalog) -> Iterator[Path]:
    """Yield the folders of all versions that the runs `kept` have saved or read, and the files in them."""
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
    """Return the folder of the run's version of each entry, that of the manifest last."""
    entries = versioned_entries(catalog)
    entries[MANIFEST] = entries.pop(MANIFEST)
    folders = {name: path_of_version(dataset, run.run_id).parent for name, dataset in entries.items()}
    # Folders, not files: an interrupted removal leaves the folder.
    return {name: folder for name, folder in folders.items() if folder.is_symlink() or folder.is_dir()}


def _is_below(folder: Path, root: Path) -> bool:
    """Return whether a version is really below `root`, or below the folder that the catalog gives to its entry."""
    above = root if folder.is_relative_to(root) else folder.parents[1]
    return canonical_path(folder).is_relative_to(above.resolve())


def _line(removal: Removal) -> str:
    run = removal.run
    return f"{run.run_id}  {run.description}, {_count(len(removal.folders), 'version')}  {run.command}"


def _runs(runs: Iterable[Run]) -> str:
    """Format the number of runs and their states."""
    states = Counter(run.state for run in runs)
    return f"{_count(states.total(), 'run')} ({', '.join(f'{count} {state}' for state, count in states.items())})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
