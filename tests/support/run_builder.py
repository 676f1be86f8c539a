"""Builds runs from a few files, without running pipelines."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from safetensors.numpy import save
from scipy.stats import binomtest

from byol_kedro.files.integrity import checksum, checksum_file
from byol_kedro.files.sealed import sealed
from tests.support.kedro_runs import ROOT, Outcome

BYOL_LOGISTIC = ("BYOL", "logistic regression", "logistic")
BYOL_KNN = ("BYOL", "kNN", "knn")
UNTRAINED_LOGISTIC = ("untrained network", "logistic regression", "logistic")
PCA_LOGISTIC = ("pixels, PCA 256", "logistic regression", "logistic")
PUBLISHED = {
    "features": "pixels, PCA 256", "classifier": "logistic regression", "protocol": "logistic", "top1": 0.36,
    "data": "stl10", "source": "published",
}  # fmt: skip
# The entries that the state of a run depends on, by pipeline.
WRITES = {
    "__default__": {"images_train", "encoder", "results"}, "ingest": {"images_train"}, "pretrain": {"encoder"},
    "evaluate": {"results"}, "report": {"results"}, "predict": {"predicted_images"},
}  # fmt: skip
Rows = Mapping[tuple[str, str, str], Iterable[bool]]


@cache
def layout() -> dict[str, Path]:
    """The path of every versioned entry, relative to data_root."""
    bootstrap_project(ROOT)
    from byol_kedro.runs.history import open_catalog, versioned_entries  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        place = {"env": "test", "conf_source": None, "runtime_params": {"data_root": "/root"}}
        entries = versioned_entries(open_catalog(place))
    return {name: Path(dataset._filepath).relative_to("/root") for name, dataset in entries.items()}


class RunBuilder:
    """Writes runs of the environment test to `data_root`."""

    def __init__(self, data_root: Path) -> None:
        self.data_root = data_root
        self.entries = {name: data_root / path for name, path in layout().items()}

    def path(self, entry: str, run_id: str) -> Path:
        return self.entries[entry] / run_id / self.entries[entry].name

    def write(self, entry: str, run_id: str, content: bytes) -> Path:
        path = self.path(entry, run_id)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        checksum_file(path).write_text(checksum(path, path))
        return path

    def encoder(self, run_id: str, **header: str) -> None:
        """Write an encoder, by default with the recipe "test", 2 epochs and photos; `header` overrides this."""
        about = {"recipe": "test", "epochs": "2", "data": "photos", "version": run_id}
        arrays = {"w": np.zeros(1)}
        place = f"{run_id}/{self.entries['encoder'].name}"
        self.write("encoder", run_id, save(arrays, sealed(about | header, arrays, place)))

    def died(self, run_id: str, *, reads: Mapping[str, str] | None = None, **changed: Any) -> None:
        """Write a run that has only a manifest; `changed` overrides values of the manifest."""
        manifest = {
            "run_id": run_id,
            "command": f"kedro run --env=test --params=data_root={self.data_root}",
            "environment": "test",
            "pipelines": ["__default__"],
            "parameters": {
                "seed": 0, "source": "photos", "predict_root": None, "pretrain": {"recipe": "test", "epochs": 2}
            },
            "git": {"revision": "1" * 40, "dirty": False},
            "packages": {"torch": "2.9.0", "timm": "1.0.20"},
            "reads": {name: {"version": version, "command": ""} for name, version in (reads or {}).items()},
        }  # fmt: skip
        manifest |= changed
        manifest.setdefault("writes", sorted(set().union(*(WRITES.get(name, ()) for name in manifest["pipelines"]))))
        self.write("run_manifest", run_id, json.dumps(manifest).encode())

    def complete(
        self, run_id: str, rows: Rows, *, images: str = "test", mark: str | None = "pixels", encoder: str = "",
        **changed: Any,
    ) -> None:  # fmt: skip
        """A run whose classifiers have image i right where `rows` says so.

        `images` begins the names of the images, `mark` is their fingerprint; None leaves it out.
        """
        self.died(run_id, **changed)
        if "probe_metrics" not in changed.get("reads", {}):
            self.write("probe_metrics", run_id, json.dumps({"data_fingerprint": mark} if mark else {}).encode())
        table = [_row(key, np.array(right)) | {"encoder": encoder or run_id} for key, right in rows.items()]
        self.write("results", run_id, pd.DataFrame([*table, PUBLISHED]).to_csv(index=False).encode())
        guesses = [_guesses(key, np.array(right), images) for key, right in rows.items()]
        predictions = pd.concat(guesses).sample(
            frac=1, random_state=sum(run_id.encode())
        )  # rows in no order to rely on
        self.write("predictions", run_id, predictions.to_parquet(index=False))


def right(*, of: int, from_: int = 0, count: int) -> np.ndarray:
    """(of,) bool: `count` images in a row are right, from `from_` on."""
    return (np.arange(of) >= from_) & (np.arange(of) < from_ + count)


def _row(key: tuple[str, str, str], right: np.ndarray) -> dict[str, Any]:
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    features, classifier, protocol = key
    return {
        "features": features, "classifier": classifier, "protocol": protocol, "epochs": 2, "data": "photos",
        "top1": right.mean(), "ci_low": interval.low, "ci_high": interval.high, "source": "measured",
    }  # fmt: skip


def _guesses(key: tuple[str, str, str], right: np.ndarray, images: str) -> pd.DataFrame:
    features, classifier, protocol = key
    truth = np.arange(len(right)) % 10
    columns = {
        "name": [f"{images}/{i:05}" for i in range(len(right))], "truth": truth,
        "guess": np.where(right, truth, (truth + 1) % 10),
        "features": features, "classifier": classifier, "protocol": protocol,
    }  # fmt: skip
    return pd.DataFrame(columns)


def type_results(data_root: Path, *words: str, place: bool = True) -> Outcome:
    """Run `kedro results <words>`, with `place` for the environment test and `data_root`."""
    bootstrap_project(ROOT)
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    # Right after the subcommand, so that a test can override the environment.
    first = next((i + 1 for i, word in enumerate(words) if word in {"diff", "prune"}), 0)
    where = ["--env=test", f"--params=data_root={data_root}"] if place else []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        result = CliRunner().invoke(cli, ["results", *words[:first], *where, *words[first:]])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)
