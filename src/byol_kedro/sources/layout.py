"""Where in a folder the images of each split lie."""

from collections import Counter
from pathlib import Path

from byol_kedro.errors import UserError
from byol_kedro.files.decode import ENDINGS
from byol_kedro.log import get_logger
from byol_kedro.sources.outputs import is_layer
from byol_kedro.sources.source import SPLITS
from byol_kedro.sources.walk import File, is_passed_over, printable, walk

PAIRS = ("pairs.txt", "pairs.parquet", "pairs.pt")  # the pipeline pair_model reads them

logger = get_logger(__name__)


def find_files(root: Path) -> tuple[dict[str, list[File]], dict[str, Counter[str]]]:
    """By split: the image files below `root`, named from there on, and how many others there are, by the reason.

    A folder without any of the three is all `unlabeled`. Raises UserError when there is nothing to learn from.
    """
    splits = _splits(root)
    ignored: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    found: dict[str, list[File]] = {split: [] for split in SPLITS}
    if splits:
        for split in splits:
            found[split] = list(walk(root / split, ignored[split], f"{split}/"))
            _tell_of_empty_folders(root / split, found[split])
    else:
        found["unlabeled"] = list(walk(root, ignored["unlabeled"]))
        ignored["unlabeled"] -= Counter(Path(name).suffix for name in PAIRS if (root / name).is_file())
        _tell_of_folders(root, found["unlabeled"])
    _check_not_empty(root, splits, found, ignored)
    return found, ignored


def _splits(root: Path) -> list[str]:
    """Those of the three that are there."""
    if not root.is_dir():
        state = "is no folder" if root.exists() else "is not there"
        raise UserError(f"raw_root {root} {state}: name the folder of the images with --params raw_root=...")
    entries = [path for path in root.iterdir() if not is_passed_over(path.name)]
    splits = [split for split in SPLITS if (root / split).is_dir()]
    for path in entries:
        if path.name in SPLITS and path.name not in splits:
            state = f"leads to {path.readlink()}, which is" if path.is_symlink() else "is"
            raise UserError(f"{path} {state} no folder; put the folder of its images there, or remove it")
        if path.name.lower() in SPLITS and path.name not in splits and path.is_dir():
            raise UserError(f"{path}: folders are named {', '.join(SPLITS)} in small letters; rename it")
    others = sorted(
        printable(path.name) for path in entries if path.name not in (*splits, *PAIRS) and not is_layer(str(path))
    )
    if splits and others:
        shown = ", ".join(others[:3]) + (" …" if len(others) > 3 else "")
        logger.info("%s: besides %s it holds %s, which is not read", printable(str(root)), ", ".join(splits), shown)
    return splits


def _tell_of_empty_folders(folder: Path, files: list[File]) -> None:
    full = {file.name.split("/")[1] for file in files}
    empty = [
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path.name not in full and not is_passed_over(path.name) and not is_layer(str(path))
    ]
    if empty:
        logger.info("%s: no images in %s, left out", printable(str(folder)), ", ".join(map(printable, sorted(empty))))


def _tell_of_folders(root: Path, files: list[File]) -> None:
    folders = {file.name.split("/")[0] for file in files if "/" in file.name}
    if len(folders) > 1:
        logger.info(
            "%s: its %d folders (%s …) are not taken for classes; if they are, move them into %s/train",
            printable(str(root)),
            len(folders),
            printable(min(folders)),
            printable(str(root)),
        )


def _check_not_empty(
    root: Path, splits: list[str], found: dict[str, list[File]], ignored: dict[str, Counter[str]]
) -> None:
    if "test" in splits and not found["test"]:
        raise UserError(
            f"{root}/test holds no image{_instead(ignored['test'])}: put some there, or remove it and a part of "
            "train is held out"
        )
    if not found["train"] and not found["unlabeled"]:
        learned = [split for split in splits if split != "test"] or SPLITS[:2]
        below = " or ".join(f"{root}/{split}" for split in learned) if splits else str(root)
        raise UserError(
            f"no image below {below}{_instead(sum(ignored.values(), Counter()))}; "
            f"expected files that end in {', '.join(sorted(ENDINGS))}"
        )


def _instead(ignored: Counter[str]) -> str:
    seen = ", ".join(f"{count} × {reason}" for reason, count in ignored.most_common(3))
    return f" (but {seen})" if seen else ""
