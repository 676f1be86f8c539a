"""The default pipeline on a folder of images."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from byol_kedro.files.decoders import Decoded
from byol_kedro.runs.manifest import run_manifest
from tests.support.image_folders import decode_here
from tests.support.kedro_runs import Chain, Outcome, artifacts, type_kedro_run

Run = Callable[..., Outcome]
IMAGES = ("images_unlabeled", "images_train", "images_test")


def write_images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")


@pytest.fixture(scope="module")
def unlabeled(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The default pipeline on 60 unlabeled images."""
    root = tmp_path_factory.mktemp("unlabeled")
    write_images(root / "raw", 60)
    outcome = type_kedro_run(root, params="source=folder,pretrain.epochs=1,pretrain.batch_size=16")
    return Chain(root, outcome)


def newest(chain: Chain, name: str) -> Path:
    return chain.versions(name)[-1]


def test_a_folder_without_labels_gives_a_report(unlabeled: Chain) -> None:
    assert unlabeled.outcome.exit_code == 0, unlabeled.outcome.output
    assert newest(unlabeled, "report").stat().st_size > 0


def test_missing_labels_are_named_in_the_output(unlabeled: Chain) -> None:
    screen = " ".join(unlabeled.outcome.output.split())
    assert "No top-1: the images have no labels." in screen
    assert screen.count("probes skipped: found 0 labeled training images") == 1
    assert f"Encoder: {newest(unlabeled, 'encoder').parent.name} " in screen
    assert "Report: " in screen


def test_the_output_without_labels_shows_quality_and_pair_model(unlabeled: Chain) -> None:
    rows = json.loads(newest(unlabeled, "quality_metrics").read_text("utf-8"))["rows"]
    (byol,) = (line for line in unlabeled.outcome.lines if line.startswith("│ BYOL"))
    shown = [float(cell.replace("−", "-")) for cell in byol.split("│")[2:5]]
    assert shown == pytest.approx([rows[0][name] for name in ("effective_rank", "uniformity", "alignment")], abs=0.05)
    models = [row["model"] for row in json.loads(newest(unlabeled, "pair_metrics").read_text("utf-8"))["rows"]]
    assert [line.split("│")[1].strip() for line in unlabeled.outcome.lines[-11:] if line.startswith("│")] == models


def test_no_classifier_is_evaluated_without_labels(unlabeled: Chain) -> None:
    results = pd.read_csv(newest(unlabeled, "results"))
    assert set(results["source"]) == {"published"}
    assert pd.read_parquet(newest(unlabeled, "predictions")).empty


def test_clusters_map_and_quality_exist_without_labels(unlabeled: Chain) -> None:
    vectors = pd.read_parquet(newest(unlabeled, "pair_embeddings"))
    assert len(vectors) == 60
    assert vectors["cluster"].nunique() == 4
    assert (vectors["label"] == -1).all()
    assert json.loads(newest(unlabeled, "pair_embedding_map").read_text("utf-8"))["data"]
    rows = json.loads(newest(unlabeled, "quality_metrics").read_text("utf-8"))["rows"]
    assert [row["features"] for row in rows] == ["BYOL", "untrained network"]


def test_the_summary_counts_held_out_images(unlabeled: Chain) -> None:
    splits = json.loads(newest(unlabeled, "data_summary").read_text("utf-8"))["splits"]
    assert {split: about["count"] for split, about in splits.items()} == {"unlabeled": 0, "train": 48, "test": 12}
    assert splits["train"]["without_label"] == 48


def images_written(root: Path) -> set[str]:
    found = (path for name in IMAGES for path in root.rglob(f"{name}*") if path.is_file())
    return {path.name for path in found if path.suffix != ".sha256"}


def test_broken_images_in_one_split_leave_no_artifacts(kedro_run: Run, tmp_path: Path) -> None:
    for folder in ("unlabeled", "train/a", "train/b", "test/a"):
        write_images(tmp_path / "raw" / folder, 2)
    for name in ("broken", "cut"):
        (tmp_path / f"raw/test/a/{name}.jpg").write_bytes(b"no image")
    outcome = kedro_run("--pipelines=ingest", params="source=folder")
    assert outcome.exit_code == 1
    assert "test/a/broken.jpg (not an image" in outcome.lines[-1]
    assert not images_written(tmp_path)


def press_ctrl_c(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_ctrl_c_during_ingest_leaves_no_artifacts(
    kedro_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("unlabeled", "train/a", "train/b"):
        write_images(tmp_path / "raw" / folder, 4)
    before = artifacts(tmp_path)
    answers = iter([decode_here, press_ctrl_c])  # raised after unlabeled is written

    def decode_all(paths: Iterable[Path], size: int) -> Iterator[Decoded]:
        return next(answers)(paths, size)

    monkeypatch.setattr("byol_kedro.sources.encoded.decode_all", decode_all)
    outcome = kedro_run("--pipelines=ingest", params="source=folder")
    assert outcome.exit_code == 130
    assert outcome.lines[-1].startswith("stopped by Ctrl-C; finished outputs are kept")
    assert "Aborted" not in outcome.output
    assert artifacts(tmp_path) == before


def test_ctrl_c_after_ingest_keeps_the_images(kedro_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "raw", 8)
    monkeypatch.setattr("byol_kedro.pipelines.ingest.nodes.class_grid", press_ctrl_c)
    outcome = kedro_run("--pipelines=ingest", params="source=folder")
    assert outcome.exit_code == 130
    assert outcome.lines[-1].startswith("stopped by Ctrl-C")
    assert len(images_written(tmp_path)) == 2 * len(IMAGES)


def test_a_single_broken_image_is_listed_in_the_summary(kedro_run: Run, tmp_path: Path) -> None:
    for folder in ("train/a", "train/b", "test/a"):
        write_images(tmp_path / "raw" / folder, 2)
    (tmp_path / "raw/test/a/broken.jpg").write_bytes(b"no image")
    assert kedro_run("--pipelines=ingest", params="source=folder").exit_code == 0
    (path,) = tmp_path.glob("*/data_summary.json/*/data_summary.json")
    test = json.loads(path.read_text("utf-8"))["splits"]["test"]
    assert list(test["broken"]) == ["test/a/broken.jpg"]
    assert test["count"] == 2


def test_an_unfinished_ingest_is_not_used(kedro_run: Run, tmp_path: Path) -> None:
    write_images(tmp_path / "raw", 8)
    for _ in range(2):
        assert kedro_run("--pipelines=ingest", params="source=folder").exit_code == 0
    first, second = sorted(path.parent.name for path in tmp_path.glob("*/images_train.npy/*/images_train.npy"))
    for path in tmp_path.glob(f"*/images_test.npy/{second}/*"):
        path.unlink()
    outcome = kedro_run("--pipelines=pretrain,extract", params="source=folder")
    assert outcome.exit_code == 1
    assert f"the ingest of {second} did not finish" in outcome.lines[-1]
    assert first in outcome.lines[-1]


def test_concurrent_runs_read_their_own_artifacts(
    kedro_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "raw", 8)
    assert kedro_run("--pipelines=ingest", params="source=folder").exit_code == 0
    first = list(tmp_path.glob("*/*/20??-*"))

    def meanwhile(*arguments: Any) -> dict[str, Any]:
        # A run that starts after this one and finishes before it.
        for version in first:
            version.rename(version.with_name("2999-01-01T00.00.00.000Z"))
        return run_manifest(*arguments)

    monkeypatch.setattr("byol_kedro.runs.manifest.run_manifest", meanwhile)
    write_images(tmp_path / "raw" / "more", 4)
    outcome = kedro_run("--pipelines=ingest", params="source=folder")
    path = min(tmp_path.glob("*/data_summary.json/*/data_summary.json"))
    splits = json.loads(path.read_text("utf-8"))["splits"]
    assert sum(about["count"] for about in splits.values()) == 12
    assert "did not match" not in outcome.output
