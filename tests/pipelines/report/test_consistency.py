"""Metrics, predictions and images that do not belong together are rejected."""

import pytest

from byol_kedro.errors import UserError
from byol_kedro.pipelines.report import nodes
from tests.support import report_inputs as given
from tests.support.report_inputs import tabulate


@pytest.mark.parametrize("wrong", ["baselines", "probes"])
def test_metrics_of_another_encoder_are_rejected(wrong):
    metrics = {"baselines": given.baseline_metrics, "probes": given.probe_metrics}[wrong]
    other = "2026-01-01T00.00.00.000Z"
    with pytest.raises(UserError, match=rf"encoder {other}.*encoder {given.VERSION}.*--load-versions"):
        tabulate(**{wrong: metrics(version=other)})


@pytest.mark.parametrize("wrong", ["baselines", "probes"])
@pytest.mark.parametrize(("changed", "found"), [({"data_fingerprint": "0f" * 32}, "0f0f0f0f0f0f"), ({}, "unknown")])
def test_metrics_of_other_images_are_rejected(wrong, changed, found):
    metrics = {"baselines": given.baseline_metrics, "probes": given.probe_metrics}[wrong]()
    del metrics["data_fingerprint"]
    with pytest.raises(UserError, match=rf"^\w+_metrics .* {found}, .* efefefefefef.*evaluate"):
        tabulate(**{wrong: metrics | changed})


def test_data_summary_of_other_images_is_rejected():
    with pytest.raises(UserError, match=r"^data_summary .* 0f0f0f0f0f0f, .* efefefefefef.*ingest"):
        tabulate(summary=given.data_summary(test="0f" * 32))


OLD, NEW = "2026-08-01T00.00.00.000Z", "2026-08-02T00.00.00.000Z"


def gather(**versions):
    """Gathers predictions in a run that loaded these versions of entries and made the others."""
    reads = {name: {"version": version, "command": "kedro run"} for name, version in versions.items()}
    table = given.predictions("BYOL", ["knn"])
    return nodes.gather_predictions(given.manifest(reads=reads), table, table)


@pytest.mark.parametrize("kind", ["probe", "baseline"])
@pytest.mark.parametrize(("run", "other"), [(NEW, OLD), (OLD, NEW)])
def test_predictions_and_metrics_of_different_runs_are_rejected(kind, run, other):
    with pytest.raises(UserError, match=rf"^{kind}_metrics .*{run}.* {kind}_predictions .*{other}.*baselines,probes"):
        gather(**{f"{kind}_metrics": run, f"{kind}_predictions": other})


def test_loaded_predictions_do_not_match_metrics_of_the_current_run():
    with pytest.raises(UserError, match=rf"probe_metrics .*{given.RUN}.* probe_predictions .*{OLD}"):
        gather(probe_predictions=OLD)


def test_predictions_without_metrics_are_accepted():
    table = given.predictions("BYOL", ["knn"])
    reads = {f"{kind}_predictions": {"version": OLD, "command": "kedro run"} for kind in ("baseline", "probe")}
    assert len(nodes.gather_predictions(given.manifest(reads=reads, writes=["predictions"]), table, table)) == 40


def test_probes_and_baselines_may_be_of_different_runs():
    assert len(gather(probe_metrics=NEW, probe_predictions=NEW, baseline_metrics=OLD, baseline_predictions=OLD)) == 40


@pytest.mark.parametrize("other", [{"encoder_version": OLD}, {"data_fingerprint": "0f" * 32}])
def test_pair_metrics_of_another_encoder_or_other_images_are_rejected(other):
    with pytest.raises(UserError, match=r"^pair_metrics "):
        nodes.describe_pair_model(
            given.encoder(), given.pair_metrics() | other, given.pair_embeddings(), given.images()
        )
