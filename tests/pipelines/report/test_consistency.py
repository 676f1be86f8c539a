"""What the report refuses: numbers, guesses and images that do not belong together."""

import pytest

from byol_kedro.errors import UserError
from byol_kedro.pipelines.report import nodes
from tests.support import report_inputs as given
from tests.support.report_inputs import tabulate


@pytest.mark.parametrize("wrong", ["baselines", "probes"])
def test_metrics_of_another_encoder_are_refused(wrong):
    metrics = {"baselines": given.baseline_metrics, "probes": given.probe_metrics}[wrong]
    other = "2026-01-01T00.00.00.000Z"
    with pytest.raises(UserError, match=rf"^.*encoder {other}.*encoder {given.VERSION}.*--load-versions$"):
        tabulate(**{wrong: metrics(version=other)})


@pytest.mark.parametrize("wrong", ["baselines", "probes"])
@pytest.mark.parametrize(("changed", "found"), [({"data_fingerprint": "0f" * 32}, "0f0f0f0f0f0f"), ({}, "unknown")])
def test_metrics_of_other_images_are_refused(wrong, changed, found):
    metrics = {"baselines": given.baseline_metrics, "probes": given.probe_metrics}[wrong]()
    del metrics["data_fingerprint"]
    with pytest.raises(UserError, match=rf"^\w+: measured on test images {found}, .* efefefefefef; run .*evaluate.*$"):
        tabulate(**{wrong: metrics | changed})


def test_a_summary_of_other_images_is_refused():
    with pytest.raises(UserError, match=r"^data_summary: .* 0f0f0f0f0f0f, .* efefefefefef; run .*ingest.*$"):
        tabulate(summary=given.data_summary(test="0f" * 32))


OLD, NEW = "2026-08-01T00.00.00.000Z", "2026-08-02T00.00.00.000Z"


def gather(**versions):
    """The guesses, where the run has read entries of these versions and has made the others."""
    reads = {name: {"version": version, "command": "kedro run"} for name, version in versions.items()}
    guesses = given.predictions("BYOL", ["knn"])
    return nodes.gather_predictions(given.manifest(reads=reads), guesses, guesses)


@pytest.mark.parametrize("kind", ["probe", "baseline"])
@pytest.mark.parametrize(("measured", "guessed"), [(NEW, OLD), (OLD, NEW)])
def test_predictions_of_another_run_than_their_metrics_are_refused(kind, measured, guessed):
    says = rf"^{kind}_metrics is of run {measured}, but {kind}_predictions of run {guessed}; run .*baselines,probes.*$"
    with pytest.raises(UserError, match=says):
        gather(**{f"{kind}_metrics": measured, f"{kind}_predictions": guessed})


def test_predictions_that_were_read_do_not_belong_to_metrics_that_this_run_made():
    with pytest.raises(UserError, match=f"probe_metrics is of run {given.RUN}, but probe_predictions of run {OLD}"):
        gather(probe_predictions=OLD)


def test_predictions_without_their_metrics_can_be_drawn():
    guesses = given.predictions("BYOL", ["knn"])
    reads = {f"{kind}_predictions": {"version": OLD, "command": "kedro run"} for kind in ("baseline", "probe")}
    assert len(nodes.gather_predictions(given.manifest(reads=reads, writes=["predictions"]), guesses, guesses)) == 40


def test_probes_and_baselines_may_be_of_different_runs():
    assert len(gather(probe_metrics=NEW, probe_predictions=NEW, baseline_metrics=OLD, baseline_predictions=OLD)) == 40


@pytest.mark.parametrize("other", [{"encoder_version": OLD}, {"data_fingerprint": "0f" * 32}])
def test_latent_metrics_of_another_encoder_or_of_other_images_are_refused(other):
    with pytest.raises(UserError, match=r"^pair_metrics: "):
        nodes.tell_latents(
            given.encoder(),
            given.pair_metrics() | other,
            given.pair_embeddings(),
            given.pair_embedding_map(),
            given.cluster_sheet(),
            given.images(),
        )
