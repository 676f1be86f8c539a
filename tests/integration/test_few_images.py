"""A few images: a run ends with results and a report, or with an error before the training."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.kedro_runs import Outcome, error_of, type_kedro_run

Make = Callable[[Path], None]
Chains = Callable[[str], tuple[Path, Outcome]]
EPOCHS = "pretrain.epochs=1,pair_model.epochs=2"


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def folder(**counts: int) -> Make:
    """`train__a=3` is three images in train/a; `loose=3` is three images without a folder of their own."""

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


def run(root: Path, *words: str, params: str = "", batch_size: int = 2) -> Outcome:
    source = [] if "source=" in params else ["source=folder"]
    given = [*source, *filter(None, [params]), f"pretrain.batch_size={batch_size}", EPOCHS]
    return type_kedro_run(root, *words, params=",".join(given))


def newest(root: Path, name: str) -> Path:
    return max(path for path in root.glob(f"*/{name}.*/*/{name}.*") if path.suffix != ".sha256")


NO_TEST_PAIR = "the pair model is not evaluated: no test pair among"
NO_PAIR = "the pair model, the clusters and the map are skipped: no train pair among 1 train"
NO_TEST = "no test images, so the results on them are skipped"
NO_QUALITY = "quality measures skipped: found 1 test images, expected at least 2"
NO_MAP = "pair_embedding_map: skipped, found 1 test images, at least 2 expected"
NO_CLASSIFIERS = "expected at least 2 classes to learn and 1 test image"

# Images, parameters, and the messages about skipped results.
CHAINS: dict[str, tuple[Make, str, tuple[str, ...]]] = {
    "three loose": (folder(loose=3), "", (NO_TEST_PAIR, NO_QUALITY, NO_MAP)),
    "seven equal": (equal, "", (NO_TEST, NO_TEST_PAIR)),
    "two of each class": (folder(train__a=2, train__b=2), "", ()),
    "one test image": (folder(train__a=4, train__b=4, test__a=1), "", (NO_TEST_PAIR, NO_QUALITY)),
    "one train image": (folder(train=1, test=5, unlabeled=8), "", (NO_PAIR, "no effective rank: 0 of 1 training")),
    "one each as arrays": (arrays, "source=array", (NO_PAIR, NO_TEST_PAIR, NO_QUALITY)),
    "one of each class, unlabeled and supervised": (
        folder(train__a=1, train__b=1, unlabeled=2), "baselines.supervised=true,pair_model.unlabeled=true",
        (NO_TEST, NO_TEST_PAIR, NO_CLASSIFIERS),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Chains:
    """The whole chain over the images of a name in `CHAINS`, run once for all tests."""

    @cache
    def run_once(name: str) -> tuple[Path, Outcome]:
        make, params, _ = CHAINS[name]
        root = tmp_path_factory.mktemp("few")
        make(root / "raw")
        return root, run(root, params=params)

    return run_once


def check_results(root: Path, outcome: Outcome, messages: tuple[str, ...]) -> None:
    assert outcome.exit_code == 0, outcome.output
    screen = " ".join(outcome.output.split())
    assert [message for message in messages if message not in screen] == []
    assert newest(root, "report").stat().st_size > 0
    assert not pd.read_csv(newest(root, "results")).empty
    for path in root.glob("*/*.json/*/*.json"):
        assert "NaN" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("name", CHAINS)
def test_a_run_ends_with_results_and_names_what_is_skipped(chains: Chains, name: str) -> None:
    make, params, messages = CHAINS[name]
    root, outcome = chains(name)
    check_results(root, outcome, messages)
    predict = run(root, "--pipelines=predict", params=f"predict_root={root}/raw,{params}".strip(","))
    assert predict.exit_code == (1 if make is arrays else 0)  # a folder without an image file


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("three loose", "pair_model.pairs.split=pair", NO_MAP),
        ("three loose", "pair_model.pairs.target=cosine", NO_TEST_PAIR),
        ("one test image", "pair_model.clusters.method=hdbscan", NO_TEST_PAIR),
        ("one test image", "pair_model.clusters.method=silhouette", NO_TEST_PAIR),
    ],
    ids=["split by pair", "cosine", "hdbscan", "silhouette"],
)
def test_the_pair_model_of_a_few_images_with_other_parameters(
    chains: Chains, name: str, params: str, message: str
) -> None:
    root, _ = chains(name)
    check_results(root, run(root, "--pipelines=pair_model,report", params=params), (message,))


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (folder(train__a=8), (NO_CLASSIFIERS,)),
        (folder(train__a=4, train__b=4, test__a=5), ()),
        (folder(train=1, unlabeled=8), (NO_PAIR, NO_TEST)),
    ],
    ids=["one class", "test of one class", "one train image and no test"],
)
def test_an_encoder_is_evaluated_on_a_few_other_images(
    chains: Chains, tmp_path: Path, make: Make, messages: tuple[str, ...]
) -> None:
    trained, _ = chains("one test image")
    root = Path(shutil.copytree(trained, tmp_path / "data", ignore=shutil.ignore_patterns("raw")))
    make(root / "raw")
    check_results(root, run(root, "--pipelines=ingest,evaluate"), messages)


def test_metrics_of_a_single_test_image_are_saved(chains: Chains) -> None:
    root, _ = chains("one test image")
    rows = pd.read_csv(newest(root, "results")).query("source == 'measured'")
    assert set(rows["features"]) >= {"BYOL", "untrained network"}
    embeddings = pd.read_parquet(newest(root, "pair_embeddings"))
    assert embeddings["split"].value_counts().to_dict() == {"train": 8, "test": 1}
    metrics = json.loads(newest(root, "pair_metrics").read_text("utf-8"))
    assert (metrics["pairs"]["test"], metrics["clusters"]["n"]) == (0, 1)


def test_without_a_train_pair_the_artifacts_are_empty(chains: Chains) -> None:
    root, _ = chains("one train image")
    embeddings = pd.read_parquet(newest(root, "pair_embeddings"))
    assert list(embeddings) == ["name", "split", "label", "class", "cluster", *(f"z{axis}" for axis in range(16))]
    assert embeddings.empty
    predictions = pd.read_parquet(newest(root, "pair_predictions"))
    assert list(predictions)[:4] == ["left", "right", "target", "pair model"]
    assert predictions.empty
    quality = json.loads(newest(root, "quality_metrics").read_text("utf-8"))["rows"]
    assert [(row["features"], row["n"]) for row in quality] == [("BYOL", 5), ("untrained network", 5)]
    assert "<h2>Clusters</h2>" not in newest(root, "report").read_text("utf-8")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_train_images_end_the_run_before_the_training(tmp_path: Path, count: int) -> None:
    folder(loose=count)(tmp_path / "raw")
    message = error_of(run(tmp_path))
    assert "found 1 in train and unlabeled together; at least 2 are needed: ingest more images" in message
    assert not list(tmp_path.glob("06_models/*"))


@pytest.mark.parametrize(("accumulation_steps", "advice"), [(1, "batch_size"), (4, "accumulation_steps")])
def test_fewer_images_than_a_step_needs_end_the_run_before_the_training(
    tmp_path: Path, accumulation_steps: int, advice: str
) -> None:
    folder(loose=7)(tmp_path / "raw")
    batch_size = 32 if advice == "batch_size" else 2
    message = error_of(run(tmp_path, params=f"pretrain.accumulation_steps={accumulation_steps}", batch_size=batch_size))
    assert f"found 6 in train and unlabeled together; lower pretrain.{advice}, and" in message
    assert not list(tmp_path.glob("06_models/*"))
