"""A few images, as a new user tries with: a run ends with results and a report, or before anything is trained."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.kedro_runs import Outcome, error_of, type_kedro_run

Make = Callable[[Path], None]
CHAIN = "pretrain.epochs=1,pair_model.epochs=2"


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def folder(**counts: int) -> Make:
    """`train__a=3` is three images in train/a; `loose=3` are three beside each other."""

    def make(raw: Path) -> None:
        for name, count in counts.items():
            below = raw if name == "loose" else raw / name.replace("__", "/")
            below.mkdir(parents=True, exist_ok=True)
            for number, pixels in enumerate(np.random.default_rng(len(name)).permutation(images(count))):
                Image.fromarray(pixels).save(below / f"{number}.png")

    return make


def equal(raw: Path) -> None:
    raw.mkdir(parents=True)
    for number in range(7):
        Image.new("RGB", (16, 16), (90, 120, 150)).save(raw / f"{number}.png")


def arrays(raw: Path) -> None:
    raw.mkdir(parents=True)
    for name, count in {"unlabeled": 6, "train": 1, "test": 1}.items():
        np.save(raw / f"{name}.npy", images(count), allow_pickle=False)


def run(root: Path, make: Make, params: str = "", batch_size: int = 2) -> Outcome:
    make(root / "raw")
    return again(root, params=f"{params},pretrain.batch_size={batch_size}".strip(","))


def again(root: Path, *words: str, params: str) -> Outcome:
    source = "" if "source=" in params else "source=folder,"
    return type_kedro_run(root, *words, params=f"{source}{params},{CHAIN}")


def newest(root: Path, name: str) -> Path:
    return max(path for path in root.glob(f"*/{name}.*/*/{name}.*") if path.suffix != ".sha256")


NO_TEST_PAIR = "the pair model is not measured: no test pair among"
NO_PAIR = "nothing to fit a pair model to, without which there are no clusters and no map: no train pair among 1 train"
NO_TEST = "no test images, so the results on them are skipped"
NO_QUALITY = "quality: left out, found 1 test images, 2 expected"
NO_MAP = "pair_embedding_map: left out, found 1 test images, 2 expected"
NO_CLASSIFIERS = "expected at least 2 classes to learn and 1 test image"

# What there is, and the lines that say what is left out.
RUNS: dict[str, tuple[Make, str, tuple[str, ...]]] = {
    "three loose ones": (folder(loose=3), "", (NO_TEST_PAIR, NO_QUALITY, NO_MAP)),
    "seven loose ones": (folder(loose=7), "", (NO_TEST_PAIR, NO_QUALITY, NO_MAP)),
    "seven that are the same": (equal, "", (NO_TEST, NO_TEST_PAIR)),
    "one of each class": (
        folder(train__a=1, train__b=1, train__c=1), "", (NO_TEST, NO_TEST_PAIR, NO_CLASSIFIERS)
    ),
    "one of each class, and unlabeled ones": (folder(train__a=1, train__b=1, unlabeled=6), "", (NO_TEST,)),
    "two of each class": (folder(train__a=2, train__b=2), "", ()),
    "one class": (folder(train__a=8), "", (NO_CLASSIFIERS,)),
    "one to test on": (folder(train__a=4, train__b=4, test__a=1), "", (NO_TEST_PAIR, NO_QUALITY)),
    "two to test on": (folder(train__a=4, train__b=4, test__a=1, test__b=1), "", ()),
    "all to test on of one class": (folder(train__a=4, train__b=4, test__a=5), "", ()),
    "one to train on": (folder(train=1, unlabeled=8), "", (NO_PAIR, NO_TEST, "no effective rank: 0 of 1 training")),
    "one to train on, and some to test on": (folder(train=1, test=5, unlabeled=8), "", (NO_PAIR,)),
    "one each as arrays": (arrays, "source=array", (NO_PAIR, NO_TEST_PAIR, NO_QUALITY)),
    "pairs split by pair": (folder(loose=3), "pair_model.pairs.split=pair", (NO_QUALITY, NO_MAP)),
    "features of others as target": (folder(loose=4), "pair_model.pairs.target=cosine", (NO_TEST_PAIR,)),
    "hdbscan": (folder(loose=5), "pair_model.clusters.method=hdbscan", (NO_TEST_PAIR,)),
    "silhouette": (folder(loose=4), "pair_model.clusters.method=silhouette", (NO_TEST_PAIR,)),
    "the same network with labels": (
        folder(train__a=1, train__b=1, unlabeled=2), "baselines.supervised=true,pair_model.unlabeled=true", (NO_TEST,)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_run_over_a_few_images_ends_with_results_and_says_what_is_left_out(tmp_path: Path, name: str) -> None:
    make, params, lines = RUNS[name]
    outcome = run(tmp_path, make, params=params)
    assert outcome.exit_code == 0, outcome.output
    screen = " ".join(outcome.output.split())
    assert [line for line in lines if line not in screen] == []
    assert newest(tmp_path, "report").stat().st_size > 0
    assert not pd.read_csv(newest(tmp_path, "results")).empty
    for path in tmp_path.glob("*/*.json/*/*.json"):
        assert "NaN" not in path.read_text("utf-8"), path
    assert again(
        tmp_path, "--pipelines=predict", params=f"predict_root={tmp_path}/raw,{params}".strip(",")
    ).exit_code == (
        1 if make is arrays else 0  # a folder without an image file
    )


def test_what_can_be_told_of_one_test_image_is_told(tmp_path: Path) -> None:
    make, _, _ = RUNS["one to test on"]
    assert run(tmp_path, make).exit_code == 0
    rows = pd.read_csv(newest(tmp_path, "results")).query("source == 'measured'")
    assert set(rows["features"]) >= {"BYOL", "untrained network"}
    vectors = pd.read_parquet(newest(tmp_path, "pair_embeddings"))
    assert vectors["split"].value_counts().to_dict() == {"train": 8, "test": 1}
    assert (vectors["cluster"] >= 0).all()
    metrics = json.loads(newest(tmp_path, "pair_metrics").read_text("utf-8"))
    assert (metrics["pairs"]["test"], metrics["clusters"]["n"]) == (0, 1)


def test_without_a_pair_to_learn_from_the_artifacts_are_there_and_empty(tmp_path: Path) -> None:
    make, _, _ = RUNS["one to train on, and some to test on"]
    assert run(tmp_path, make).exit_code == 0
    vectors = pd.read_parquet(newest(tmp_path, "pair_embeddings"))
    assert list(vectors) == ["name", "split", "label", "class", "cluster", *(f"z{axis}" for axis in range(16))]
    assert vectors.empty
    predictions = pd.read_parquet(newest(tmp_path, "pair_predictions"))
    assert list(predictions)[:4] == ["left", "right", "target", "pair model"]
    assert predictions.empty
    quality = json.loads(newest(tmp_path, "quality_metrics").read_text("utf-8"))["rows"]
    assert [(row["features"], row["n"]) for row in quality] == [("BYOL", 5), ("untrained network", 5)]
    report = newest(tmp_path, "report").read_text("utf-8")
    assert "<h2>Clusters</h2>" not in report


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_to_train_on_end_the_run_before_anything_is_trained(tmp_path: Path, count: int) -> None:
    message = error_of(run(tmp_path, folder(loose=count)))
    assert "found 1 in train and unlabeled together; at least 2 are needed: ingest more images" in message
    assert not list(tmp_path.glob("06_models/*"))


@pytest.mark.parametrize(("accumulation_steps", "advice"), [(1, "batch_size"), (4, "accumulation_steps")])
def test_fewer_than_a_step_takes_end_the_run_before_anything_is_trained(
    tmp_path: Path, accumulation_steps: int, advice: str
) -> None:
    batch = 32 if advice == "batch_size" else 2
    message = error_of(
        run(tmp_path, folder(loose=7), params=f"pretrain.accumulation_steps={accumulation_steps}", batch_size=batch)
    )
    assert f"found 6 in train and unlabeled together; lower pretrain.{advice}, and" in message
    assert not list(tmp_path.glob("06_models/*"))
