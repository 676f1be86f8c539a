"""Diffs that the documentation shows, applied to a copy of the package."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tests.support.kedro_runs import ROOT

PACKAGE = "byol_kedro"


def documented_diff(page: str, heading: str) -> str:
    """The only diff below a `## ` heading of a page of docs/."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    (diff,) = re.findall(r"```diff\n(.*?)```", section, flags=re.DOTALL)
    return str(diff)


def apply_diff(diff: str, root: Path) -> None:
    """Apply a diff whose hunks begin with `@@` and name no lines: each old text has to occur once in its file."""
    for part in diff.split("--- ")[1:]:
        header, *hunks = re.split(r"^@@.*\n", part, flags=re.MULTILINE)
        path = root / header.split("+++ b/")[1].strip()
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] in " -")
            new = "".join(line[1:] for line in lines if line[0] in " +")
            assert text.count(old) == 1 or not text, f"{path.name} has not exactly one:\n{old}"
            text = text.replace(old, new) if text else new
        path.write_text(text, encoding="utf-8")


@contextmanager
def patched_package(diff: str, folder: Path) -> Iterator[None]:
    """Inside the block imports give a copy of the package with the diff applied; tests.support is imported anew."""
    shutil.copytree(ROOT / "src" / PACKAGE, folder / "src" / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    apply_diff(diff, folder)
    before = _unload()
    sys.path.insert(0, str(folder / "src"))
    try:
        yield
    finally:
        sys.path.remove(str(folder / "src"))
        _unload()
        sys.modules.update(before)
        for name, module in before.items():
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, module)


def _unload() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if f"{name}.".startswith((f"{PACKAGE}.", "tests.support."))]
    return {name: sys.modules.pop(name) for name in names}
