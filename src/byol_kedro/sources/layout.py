"""Finds the images of each split in a folder."""

from collections import Counter
from pathlib import Path, PurePosixPath

from byol_kedro.errors import UserError
from byol_kedro.files.decode import SUFFIXES
from byol_kedro.files.remote import RemotePath
from byol_kedro.log import get_logger
from byol_kedro.sources.outputs import is_layer
from byol_kedro.sources.source import SPLITS
from byol_kedro.sources.walk import HIDDEN, SYSTEM, File, is_ignored_folder, printable, walk

PAIR_FILES = ("pairs.txt", "pairs.parquet", "pairs.pt")  # read by the pipeline pair_model

logger = get_logger(__name__)


def find_files(root: Path) -> tuple[dict[str, list[File]], dict[str, Counter[str]]]:
    """List the image files of each split, and count the ignored files by reason.

    A folder that has none of the three split folders is all `unlabeled`. File names are relative to `root`.

    Raises:
        UserError: There is no image to train on, or the layout is ambiguous.
    """
    if isinstance(root, RemotePath):
        return _find_remote(root)
    splits = _split_folders(root)
    ignored: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    found: dict[str, list[File]] = {split: [] for split in SPLITS}
    if splits:
        for split in splits:
            again: dict[str, str] = {}
            found[split] = list(walk(root / split, ignored[split], f"{split}/", again))
            _log_empty_folders(root / split, found[split], again)
    else:
        found["unlabeled"] = list(walk(root, ignored["unlabeled"]))
        ignored["unlabeled"] -= Counter(Path(name).suffix for name in PAIR_FILES if (root / name).is_file())
        _log_folders(root, found["unlabeled"])
    _check_not_empty(root, splits, found, ignored)
    return found, ignored


def _find_remote(root: RemotePath) -> tuple[dict[str, list[File]], dict[str, Counter[str]]]:
    """As `find_files` for an address, where there are neither links nor outputs of runs."""
    ignored: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    found: dict[str, list[File]] = {split: [] for split in SPLITS}
    states = {name: state for name, state in root.find().items() if name not in PAIR_FILES}
    splits = [split for split in SPLITS if any(name.startswith(f"{split}/") for name in states)]
    for name, state in states.items():
        *folders, last = name.split("/")
        split = folders[0] if splits and folders else "unlabeled"
        if splits and (not folders or split not in splits):
            continue
        if last.startswith("."):
            ignored[split][HIDDEN] += 1
        elif any(map(is_ignored_folder, folders)):
            ignored[split][SYSTEM] += 1
        elif (suffix := PurePosixPath(last).suffix.lower()) not in SUFFIXES:
            ignored[split][printable(suffix) or "no suffix"] += 1
        else:
            found[split].append(File(name, state))
    _check_not_empty(root, splits, found, ignored)
    return found, ignored


def _split_folders(root: Path) -> list[str]:
    """Which of `SPLITS` exist."""
    if not root.is_dir():
        state = "is not a folder" if root.exists() else "does not exist"
        raise UserError(f"raw_root {root} {state}; set the folder of the images with --params raw_root=...")
    entries = [path for path in root.iterdir() if not is_ignored_folder(path.name)]
    splits = [split for split in SPLITS if (root / split).is_dir()]
    for path in entries:
        if path.name in SPLITS and path.name not in splits:
            state = f"is a link to {path.readlink()}, which is" if path.is_symlink() else "is"
            raise UserError(f"{path} {state} not a folder; replace it by the folder of its images, or remove it")
        if path.name.lower() in SPLITS and path.name not in splits and path.is_dir():
            raise UserError(f"{path}: the folders {', '.join(SPLITS)} are lower case; rename it")
    others = sorted(
        printable(path.name) for path in entries if path.name not in (*splits, *PAIR_FILES) and not is_layer(str(path))
    )
    if splits and others:
        shown = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        logger.info("%s: %s ignored, since there are the folders %s", printable(str(root)), shown, ", ".join(splits))
    return splits


def _log_empty_folders(folder: Path, files: list[File], again: dict[str, str]) -> None:
    """Log the folders without images, and warn of those that are empty because their images are read elsewhere."""
    full = {file.name.split("/")[1] for file in files}
    empty = [
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path.name not in full and not is_ignored_folder(path.name) and not is_layer(str(path))
    ]
    linked = {second: first for second, first in again.items() if second.split("/")[1] in empty}
    if linked:
        same = (f"{printable(second)} is the same folder as {printable(first)}" for second, first in linked.items())
        logger.warning("%s: each folder is read once: %s", printable(str(folder)), "; ".join(same))
        empty = sorted(set(empty) - {second.split("/")[1] for second in linked})
    if empty:
        logger.info("%s: no images in %s, ignored", printable(str(folder)), ", ".join(map(printable, sorted(empty))))


def _log_folders(root: Path, files: list[File]) -> None:
    folders = {file.name.split("/")[0] for file in files if "/" in file.name}
    if len(folders) > 1:
        logger.info(
            "%s: its %d folders (%s …) are not used as classes; to use them, move them into %s/train",
            printable(str(root)),
            len(folders),
            printable(min(folders)),
            printable(str(root)),
        )


def _check_not_empty(
    root: Path | RemotePath, splits: list[str], found: dict[str, list[File]], ignored: dict[str, Counter[str]]
) -> None:
    if "test" in splits and not found["test"]:
        raise UserError(
            f"{root}/test contains no images{_others(ignored['test'])}; add some, or remove the folder to hold out a "
            "part of train"
        )
    if not found["train"] and not found["unlabeled"]:
        wanted = [split for split in splits if split != "test"] or SPLITS[:2]
        below = " or ".join(f"{root}/{split}" for split in wanted) if splits else str(root)
        raise UserError(
            f"no images found in {below}{_others(sum(ignored.values(), Counter()))}; "
            f"supported file types: {', '.join(sorted(SUFFIXES))}"
        )


def _others(ignored: Counter[str]) -> str:
    seen = ", ".join(f"{count} × {reason}" for reason, count in ignored.most_common(3))
    return f" (ignored: {seen})" if seen else ""
