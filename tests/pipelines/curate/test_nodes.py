"""The node of the pipeline curate, and the section of the report on its table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from byol_kedro.datasets.images import Images
from byol_kedro.datasets.provenance import Provenance
from byol_kedro.datasets.raw import RawImages
from byol_kedro.datasets.tables import OptionalParquetDataset
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Curate
from byol_kedro.pipelines.curate.nodes import find_issues
from byol_kedro.pipelines.curate.table import COLUMNS, Issue, as_table
from byol_kedro.pipelines.report.issues import show_issues
from tests.support.image_datasets import at
from tests.support.kedro_runs import Chain, type_kedro_run
from tests.support.probe_problems import PROBE_PARAMS

ENCODER = Tensors({}, {"version": "v", "fingerprint": "f"})
SIDE = 24


def textured(count: int, seed: int) -> np.ndarray:
    """Images with coarse and fine structure."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(0, 160, (count, 3, 6, 6)), np.ones((4, 4), int))
    return (coarse + rng.integers(0, 60, (count, 3, SIDE, SIDE))).astype(np.uint8)


def split_of(pixels: np.ndarray, labels: np.ndarray, name: str) -> Images:
    names = [f"{name}/{row}.png" for row in range(len(pixels))]
    return Images(pixels, labels.astype(np.int64), names, ["a", "b"], [], f"fingerprint of {name}", "folder")


def latents(images: Images, features: np.ndarray) -> Tensors:
    index = np.arange(len(features), dtype=np.int64)
    arrays = {"features": features.astype(np.float32), "labels": images.labels[index], "index": index}
    return Tensors(arrays, Provenance.of(ENCODER, images).to_header())


@pytest.fixture
def inputs(tmp_path: Path) -> dict:
    """40 train, 6 test, 3 unlabeled images; faults as the tests name them. The unlabeled ones have no features."""
    rng, y = np.random.default_rng(0), np.repeat([0, 1], 20)
    train, test, unlabeled = (textured(n, seed) for seed, n in enumerate((40, 6, 3)))
    x = rng.normal(0, 0.3, (46, 5))
    x[:, 0] += np.concatenate([np.repeat([4, -4], 20), [4, 4, 4, -4, -4, -4]])
    x[:, 1] += 5
    test[0] = np.clip(train[2].astype(int) + 12, 0, 255)  # a brighter copy
    unlabeled[0] = train[7]
    train[11] = 90  # empty
    train[12] //= 8  # dark
    x[13] = [0.1, -5, 0.2, 3, -3]  # an outlier
    y[25] = 0  # a swapped label
    labels = (y, np.repeat([0, 1], 3), np.full(3, -1))
    images = [
        split_of(*args) for args in zip((train, test, unlabeled), labels, ("train", "test", "unlabeled"), strict=True)
    ]
    (tmp_path / "train").mkdir()
    Image.new("RGB", (30, 8)).save(tmp_path / "train/4.png")
    Image.new("RGB", (24, 30)).save(tmp_path / "train/5.png")
    return {
        "raw_images": RawImages("folder", tmp_path),
        "encoder": ENCODER,
        **{
            f"latents_{n}": latents(i, f)
            for n, i, f in zip(("train", "test", "unlabeled"), images, (x[:40], x[40:], x[:0]), strict=True)
        },
        **{f"images_{n}": i for n, i in zip(("train", "test", "unlabeled"), images, strict=True)},
        "parameters": Curate(neighbors=3, folds=4),
        "probe_parameters": PROBE_PARAMS,
        "seed": 0,
    }


def of_kind(table: pd.DataFrame, kind: str) -> list[str]:
    return sorted(table.loc[table["kind"] == kind, "path"])


def test_every_planted_fault_is_found(inputs, caplog):
    table = find_issues(**inputs)
    assert tuple(table.columns) == COLUMNS
    assert of_kind(table, "near_duplicate") == ["test/0.png", "train/2.png", "train/7.png", "unlabeled/0.png"]
    copy = table[table["path"] == "test/0.png"].iloc[0]
    assert copy["related"] == ("train/2.png",)
    assert copy["detail"] == "train and test"
    assert copy["score"] >= 1 - 5 / 64
    assert of_kind(table, "empty") == ["train/11.png"]
    assert of_kind(table, "dark") == ["train/12.png"]
    assert of_kind(table, "outlier")[0] == "train/13.png"
    assert "train/25.png" in of_kind(table, "suspicious_label")
    assert of_kind(table, "tiny") == ["train/4.png"]
    tiny = table[table["kind"] == "tiny"].iloc[0]
    assert tiny["detail"] == "30 × 8 pixels, enlarged to 24"
    assert tiny["score"] == pytest.approx(2 / 3)
    assert not of_kind(table, "similar_classes")
    assert table.attrs["data_fingerprint"] == "fingerprint of train:fingerprint of test:fingerprint of unlabeled"
    messages = [record.getMessage() for record in caplog.records]
    assert any(message.startswith("3 images have no saved features") for message in messages)
    assert any(message.startswith("49 images: near_duplicate 4,") for message in messages)


def test_without_labels_the_rest_is_found(inputs):
    for split in ("train", "test"):
        images = inputs[f"images_{split}"]
        images.labels[:] = -1
    table = find_issues(**inputs)
    assert not {"suspicious_label", "similar_classes"} & set(table["kind"])
    assert of_kind(table, "near_duplicate") == ["test/0.png", "train/2.png", "train/7.png", "unlabeled/0.png"]


def test_features_of_other_images_are_refused(inputs):
    with pytest.raises(UserError, match="do not match"):
        find_issues(**{**inputs, "latents_test": inputs["latents_train"]})


def test_the_order_of_the_table():
    issues = [
        Issue("c", "train", "outlier", 0.1), Issue("d", "train", "outlier", 0.9),
        Issue("b", "train", "near_duplicate", 0.9, group=1), Issue("a", "train", "near_duplicate", 0.1, group=0),
    ]  # fmt: skip
    assert list(as_table(issues)["path"]) == ["a", "b", "d", "c"]
    assert tuple(as_table([]).columns) == COLUMNS


def test_a_sheet_of_each_kind_from_a_saved_table(inputs, tmp_path):
    dataset = OptionalParquetDataset(filepath=str(tmp_path / "i.parquet"), version=at("2026-01-01T00.00.00.000Z"))
    dataset.save(find_issues(**inputs))
    images = [inputs[f"images_{split}"] for split in ("train", "test", "unlabeled")]
    sheets = {sheet.title: sheet for sheet in show_issues(ENCODER, dataset.load(), *images)}
    assert [[image.caption for image in row] for row in sheets["Near duplicates"].rows] == [
        ["test", "train"], ["train", "unlabeled"],
    ]  # fmt: skip
    assert sheets["Near duplicates"].count == 4
    assert [image.name for image in sheets["Empty images"].rows[0]] == ["train/11.png"]
    assert any("labeled a, more likely b" in image.caption for image in sheets["Suspicious labels"].rows[0])
    other = Tensors({}, {"version": "v", "fingerprint": "other"})
    assert show_issues(other, dataset.load(), *images) == []
    assert show_issues(ENCODER, dataset.load(), images[1], images[0], images[2]) == []


def test_without_a_table_there_are_no_sheets(inputs, tmp_path):
    dataset = OptionalParquetDataset(filepath=str(tmp_path / "i.parquet"), version=at(None))
    images = [inputs[f"images_{split}"] for split in ("train", "test", "unlabeled")]
    assert show_issues(ENCODER, dataset.load(), *images) == []


def test_curate_and_report_in_one_run(chain_copy):
    outcome = type_kedro_run(chain_copy, "--pipelines=curate,report")
    assert outcome.exit_code == 0, outcome.output
    run = Chain(chain_copy, outcome)
    page = run.versions("report")[-1].read_text("utf-8")
    table = pd.read_parquet(run.versions("image_issues")[-1])
    assert len(table)
    assert 'id="image-issues"' in page
    assert table["path"].iloc[0] in page
