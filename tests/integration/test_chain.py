"""The default pipeline on the built-in photographs."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.support.kedro_runs import ROOT, Chain, header, type_kedro_run

CLASSIFIERS = {"kNN", "logistic regression", "MLP"}


def versioned_entries() -> list[str]:
    """The versioned entries of the default pipeline."""
    catalog = yaml.safe_load((ROOT / "conf/base/catalog.yml").read_text("utf-8"))
    names = [name for name, entry in catalog.items() if isinstance(entry, dict) and entry.get("versioned")]
    of_other_pipelines = {"predicted_images", "image_issues", "feature_map", "feature_neighbors", "explorer"}
    return [name for name in names if name not in of_other_pipelines]


def results(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def test_the_run_succeeds(chain: Chain) -> None:
    assert chain.outcome.exit_code == 0, chain.outcome.output


@pytest.mark.parametrize("name", versioned_entries())
def test_every_versioned_entry_has_the_version_of_the_run(chain: Chain, name: str) -> None:
    run_id = chain.versions("results")[-1].parent.name
    assert [path.parent.name for path in chain.versions(name)] == [run_id]


def test_the_output_ends_with_the_table_and_the_report(chain: Chain) -> None:
    assert "Top-1 on the test images" in chain.outcome.output
    assert chain.outcome.lines[-2].startswith("Report: ")
    assert Path(chain.outcome.lines[-2].removeprefix("Report: ")) == chain.versions("report")[-1]


def test_measured_rows_name_their_run_and_command(chain: Chain) -> None:
    rows = results(chain.versions("results")[-1])
    measured = rows[rows["source"] == "measured"]
    assert set(measured["classifier"]) == CLASSIFIERS
    assert set(measured["run_id"]) == {chain.versions("results")[-1].parent.name}
    assert all(command.startswith("kedro run --env=test --params=data_root=") for command in measured["command"])


def test_published_rows_have_no_run(chain: Chain) -> None:
    rows = results(chain.versions("results")[-1])
    published = rows[rows["source"] == "published"]
    assert {0.360, 0.318, 0.701, 0.752} <= set(published["top1"])
    assert published["run_id"].isna().all()


def test_everything_derived_from_features_names_the_encoder(chain: Chain) -> None:
    encoder = header(chain.versions("encoder")[-1])
    for name in ("latents_train", "latents_test", "reference_latents", "probes", "pair_model"):
        derived = header(chain.versions(name)[-1])
        assert derived["encoder_version"] == encoder["version"], name
        assert derived["encoder_fingerprint"] == encoder["fingerprint"], name


def test_predictions_have_a_row_per_classifier_and_test_image(chain: Chain) -> None:
    predictions = pd.read_parquet(chain.versions("predictions")[-1])
    summary = json.loads(chain.versions("data_summary")[-1].read_text("utf-8"))
    measured = results(chain.versions("results")[-1]).query("source == 'measured'")
    sizes = predictions.groupby(["features", "classifier", "protocol"]).size()
    assert len(sizes) == len(measured)
    assert set(sizes) == {summary["splits"]["test"]["count"]}


def test_top1_is_the_fraction_of_correct_predictions(chain: Chain) -> None:
    predictions = pd.read_parquet(chain.versions("predictions")[-1])
    right = (predictions["truth"] == predictions["guess"]).groupby(
        [predictions["features"], predictions["classifier"], predictions["protocol"]]
    )
    measured = results(chain.versions("results")[-1]).query("source == 'measured'")
    by_row = measured.set_index(["features", "classifier", "protocol"])["top1"].sort_index()
    pd.testing.assert_series_equal(right.mean().sort_index(), by_row, check_names=False)


def test_the_manifest_describes_the_run(chain: Chain) -> None:
    manifest = json.loads(chain.versions("run_manifest")[-1].read_text("utf-8"))
    assert manifest["environment"] == "test"
    assert manifest["parameters"]["pretrain"]["views"]["second"]["solarize_prob"] == 0.2
    assert manifest["parameters"]["seed"] == 0
    assert {"torch", "kedro", "timm"} <= set(manifest["packages"])
    assert manifest["reads"] == {}


def test_evaluate_alone_reads_the_saved_encoder(chain_copy: Path) -> None:
    first = Chain(chain_copy, type_kedro_run(chain_copy, "--pipeline=evaluate"))
    assert first.outcome.exit_code == 0, first.outcome.output
    (trained,) = first.versions("encoder")
    rows = results(first.versions("results")[-1]).query("source == 'measured'")
    assert set(rows["run_id"]) == {first.versions("results")[-1].parent.name}
    assert set(rows.query("features == 'BYOL'")["encoder"]) == {trained.parent.name}
    assert trained.parent.name not in set(rows["run_id"])
    manifest = json.loads(first.versions("run_manifest")[-1].read_text("utf-8"))
    assert manifest["reads"]["encoder"]["version"] == trained.parent.name
    assert manifest["reads"]["encoder"]["command"].startswith("kedro run --env=test")


def test_the_output_names_no_report_of_another_run(chain_copy: Path) -> None:
    outcome = type_kedro_run(chain_copy, "--pipelines=report", "--to-outputs=results")
    assert "All columns, published rows: " in outcome.output
    assert "Report: " not in outcome.output


def test_load_versions_pins_another_encoder(chain_copy: Path) -> None:
    old = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=pretrain", params="seed=1"))
    oldest = old.versions("encoder")[0].parent.name
    outcome = type_kedro_run(chain_copy, "--pipelines=evaluate", f"--load-versions=encoder:{oldest}")
    assert outcome.exit_code == 0, outcome.output
    rows = results(old.versions("results")[-1]).query("features == 'BYOL'")
    assert set(rows["encoder"].dropna()) == {oldest}


def test_the_same_command_gives_the_same_encoder_bit_for_bit(chain: Chain, tmp_path: Path) -> None:
    again = Chain(tmp_path, type_kedro_run(tmp_path, "--pipelines=ingest,pretrain"))
    fingerprints = {header(one.versions("encoder")[-1])["fingerprint"] for one in (chain, again)}
    assert len(fingerprints) == 1


def test_ingest_links_unchanged_images(chain_copy: Path) -> None:
    again = Chain(chain_copy, type_kedro_run(chain_copy, "--pipelines=ingest"))
    for name in ("images_unlabeled", "images_train", "images_test"):
        first, second = again.versions(name)
        assert first.samefile(second)
