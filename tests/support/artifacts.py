"""The outputs of a run in a form to compare two runs bit by bit."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import safe_open

RUN_ID = re.compile(r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}Z")
RUNNER = re.compile(r" --runner[\w=-]+")
SPEED = "images_per_second"  # the one number that no two runs have in common


def contents(data_root: Path) -> dict[str, Any]:
    """The content of all versioned files by name, without run ids, `data_root` and runner."""
    files = sorted(file for file in data_root.glob("*/*/*/*") if RUN_ID.fullmatch(file.parent.name))
    files = [file for file in files if file.suffix != ".sha256"]  # bound to the version
    return {file.name: _content(file, data_root) for file in files}


def _content(file: Path, data_root: Path) -> Any:
    def text(value: str) -> str:
        return RUN_ID.sub("RUN", RUNNER.sub("", value.replace(str(data_root), "ROOT")))

    if file.suffix == ".safetensors":
        with safe_open(file, framework="np") as opened:
            arrays = {name: opened.get_tensor(name) for name in sorted(opened.keys())}
            # The digest covers the version.
            metadata = {
                name: value for name, value in opened.metadata().items() if name != "digest"
            }  # covers the version
            header = {name: text(value) for name, value in sorted(metadata.items())}
        return header, {name: (str(a.dtype), a.shape, sha256(a.tobytes()).hexdigest()) for name, a in arrays.items()}
    if file.suffix == ".parquet":
        return text(pd.read_parquet(file).to_json(double_precision=15))
    if file.suffix == ".csv":
        return text(pd.read_csv(file, dtype=str, keep_default_na=False).drop(columns=SPEED, errors="ignore").to_csv())
    return text(file.read_text("utf-8")) if file.suffix in {".json", ".md", ".html"} else file.read_bytes()
