"""`kedro results diff`: differences between two runs, with significance tests."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.kedro_runs import Outcome
from tests.support.run_builder import (
    BYOL_KNN,
    BYOL_LOGISTIC,
    PCA_LOGISTIC,
    UNTRAINED_LOGISTIC,
    RunBuilder,
    right,
    type_results,
)

A, B = "2026-03-01T10.00.00.000Z", "2026-03-02T10.00.00.000Z"


@pytest.fixture
def runs(tmp_path: Path) -> RunBuilder:
    return RunBuilder(tmp_path)


def diff(runs: RunBuilder, a: str = A, b: str = B) -> Outcome:
    outcome = type_results(runs.data_root, "diff", a, b)
    assert outcome.exit_code == 0, outcome.output
    return outcome


def words(outcome: Outcome) -> str:
    """The output on one line, independent of wrapped cells."""
    return " ".join(outcome.output.split())


def row(outcome: Outcome, name: str) -> list[str]:
    """The cells of the line that begins with `name`."""
    (line,) = (line for line in outcome.lines if line.split()[: len(name.split())] == name.split())
    return line.split()


def test_changed_parameter_is_listed_with_both_values(runs: RunBuilder) -> None:
    same = {BYOL_LOGISTIC: right(of=50, count=30)}
    runs.complete(A, same, parameters={"seed": 0, "pretrain": {"epochs": 2, "optimizer": {"lr": 0.06}}})
    runs.complete(B, same, parameters={"seed": 0, "pretrain": {"epochs": 2, "optimizer": {"lr": 0.3}}})
    outcome = diff(runs)
    assert row(outcome, "pretrain.optimizer.lr") == ["pretrain.optimizer.lr", "0.06", "0.3"]
    assert "seed" not in [line.split()[0] for line in outcome.lines]


def trained_with(lr: float) -> str:
    return json.dumps({"epochs": 2, "optimizer": {"lr": lr}})


def test_pretrain_parameters_are_those_of_the_encoders(runs: RunBuilder) -> None:
    same, parameters = {BYOL_LOGISTIC: right(of=50, count=30)}, {"pretrain": {"epochs": 2, "optimizer": {"lr": 0.06}}}
    runs.encoder("one", training=trained_with(0.1))
    runs.encoder("two", training=trained_with(0.3))
    for run_id, encoder in ((A, "one"), (B, "two")):
        runs.complete(run_id, same, pipelines=["evaluate"], reads={"encoder": encoder}, parameters=parameters)
    assert row(diff(runs), "pretrain.optimizer.lr")[1:] == ["0.1", "0.3"]


def test_unused_pretrain_parameters_are_not_listed(runs: RunBuilder) -> None:
    same = {BYOL_LOGISTIC: right(of=50, count=30)}
    runs.encoder(A, training=trained_with(0.1))
    runs.complete(A, same, parameters={"pretrain": {"epochs": 2, "optimizer": {"lr": 0.1}}})
    runs.complete(
        B, same, pipelines=["evaluate"], reads={"encoder": A},
        parameters={"pretrain": {"epochs": 100, "optimizer": {"lr": 0.3}}},
    )  # fmt: skip
    assert "pretrain." not in diff(runs).output


def test_unknown_training_is_not_compared(runs: RunBuilder) -> None:
    runs.died(A, parameters={"pretrain": {"epochs": 2}})
    runs.died(B, parameters={"pretrain": {"epochs": 3}}, pipelines=["evaluate"], reads={"encoder": "gone"})
    assert "pretrain.epochs" not in diff(runs).output


def test_parameter_of_only_one_run_is_listed(runs: RunBuilder) -> None:
    runs.died(A, parameters={"seed": 0, "references": {}})
    runs.died(B, parameters={"seed": 0, "references": {}, "device": "cpu"})
    assert row(diff(runs), "device") == ["device", "–", "cpu"]


def test_packages_revision_and_read_versions_are_compared(runs: RunBuilder) -> None:
    runs.died(A, reads={"encoder": "one"}, packages={"torch": "2.9.0", "timm": "1.0.20"})
    runs.died(
        B, reads={"encoder": "two"}, packages={"torch": "2.9.1", "timm": "1.0.20"},
        git={"revision": "2" * 40, "dirty": True},
    )  # fmt: skip
    outcome = diff(runs)
    assert row(outcome, "torch") == ["torch", "2.9.0", "2.9.1"]
    assert row(outcome, "git revision") == ["git", "revision", "1" * 12, "2" * 12, "with", "changes"]
    assert row(outcome, "encoder (read)")[-2:] == ["one", "two"]
    assert "timm" not in outcome.output


def test_large_difference_is_significant(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=400, count=200)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=400, count=260)})
    assert "+15.0 more than noise (p < 0.001, McNemar)" in words(diff(runs))


def test_small_difference_is_not_significant(runs: RunBuilder) -> None:
    # Four images that B alone has right: twice 1/16, exactly.
    runs.complete(A, {BYOL_LOGISTIC: right(of=400, count=200)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=400, count=204)})
    assert "+1.0 within noise (p = 0.125, McNemar)" in words(diff(runs))


def test_predictions_are_paired_by_image_name(runs: RunBuilder) -> None:
    # The builder writes predictions in no order. 12 discordant pairs of one side: 2 / 2**12, which no unpaired test of
    # 50 % and 53 % would find.
    runs.complete(A, {BYOL_LOGISTIC: right(of=400, count=200)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=400, count=212)})
    assert "more than noise (p < 0.001, McNemar)" in words(diff(runs, B, A))


def test_different_test_images_use_a_z_test(runs: RunBuilder) -> None:
    # Pooled 0.5: z = 0.1 / sqrt(0.25 * 2 / 100) = 1.414, a p of 0.157.
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=45)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=100, count=55)}, images="others")
    assert "within noise (p = 0.157, z-test)" in words(diff(runs))


@pytest.mark.parametrize(("mark", "said"), [("pixels", False), ("other pixels", True), (None, False)])
def test_note_on_different_test_images(runs: RunBuilder, mark: str | None, said: bool) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=45)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=100, count=55)}, mark=mark)
    above, _, _ = words(diff(runs)).partition("features A B")
    assert ("A and B were tested on different images" in above) == said


@pytest.mark.parametrize(("counts", "points"), [((57, 50), "−7.0"), ((50, 57), "+7.0"), ((50, 50), "+0.0")])
def test_negative_points_have_a_minus_sign(runs: RunBuilder, counts: tuple[int, int], points: str) -> None:
    for run_id, count in zip((A, B), counts, strict=True):
        runs.complete(run_id, {BYOL_LOGISTIC: right(of=100, count=count)})
    assert f" {points} " in words(diff(runs))


@pytest.mark.parametrize("mark", ["other pixels", None])
def test_images_with_equal_names_but_unknown_pixels_are_not_paired(runs: RunBuilder, mark: str | None) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=45)}, mark=mark and "pixels")
    runs.complete(B, {BYOL_LOGISTIC: right(of=100, count=55)}, mark=mark)
    screen = words(diff(runs))
    assert "within noise (p = 0.157, z-test)" in screen
    assert "z-test: of two proportions, because there are no predictions of both runs" in screen


def test_missing_metrics_prevent_pairing(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=45)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=100, count=55)})
    runs.path("probe_metrics", A).unlink()
    assert "within noise (p = 0.157, z-test)" in words(diff(runs))


def test_report_run_uses_the_images_of_the_metrics_it_read(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=400, count=200)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=400, count=204)}, reads={"probe_metrics": A})
    assert "+1.0 within noise (p = 0.125, McNemar)" in words(diff(runs))


def test_rows_show_the_protocol(runs: RunBuilder) -> None:
    keys = [BYOL_KNN, ("BYOL", "kNN", "knn_weighted"), BYOL_LOGISTIC, ("BYOL", "logistic regression", "linear_sgd")]
    for run_id in (A, B):
        runs.complete(run_id, {key: right(of=50, count=30) for key in keys})
    first_cells = [line.split("  ")[0].strip() for line in diff(runs).lines]
    names = ["kNN", "kNN (weighted)", "logistic regression", "logistic regression (SGD)"]
    assert [cell for cell in first_cells if cell.startswith(("kNN", "logistic"))] == names


def test_z_test_without_predictions(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=10_000, count=4500)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=10_000, count=5500)})
    runs.path("predictions", A).unlink()
    assert "more than noise (p < 0.001, z-test)" in words(diff(runs))


# Seven images that B alone has right: 2 / 2**7 = 0.0156, below 0.05 alone but not as the smallest of four.
SEVEN = {BYOL_LOGISTIC: right(of=100, count=57)}


def test_p_values_are_holm_adjusted(runs: RunBuilder) -> None:
    others = (BYOL_KNN, UNTRAINED_LOGISTIC, PCA_LOGISTIC)
    runs.complete(A, {key: right(of=100, count=50) for key in (BYOL_LOGISTIC, *others)})
    runs.complete(B, SEVEN | {key: right(of=100, count=51) for key in others})
    screen = words(diff(runs))
    assert "+7.0 within noise (p = 0.0625, McNemar)" in screen
    assert "Holm-adjusted over the tested rows (4)" in screen


def test_identical_rows_are_not_counted_as_tests(runs: RunBuilder) -> None:
    same = {key: right(of=100, count=50) for key in (BYOL_KNN, UNTRAINED_LOGISTIC, PCA_LOGISTIC)}
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=50), **same})
    runs.complete(B, SEVEN | same)
    screen = words(diff(runs))
    assert "+7.0 more than noise (p = 0.0156, McNemar)" in screen
    assert screen.count("+0.0 right on the same images") == 3
    assert "Holm-adjusted over the tested rows (1)" in screen


def test_nothing_is_tested_if_all_rows_are_identical(runs: RunBuilder) -> None:
    for run_id in (A, B):
        runs.complete(run_id, SEVEN)
    screen = words(diff(runs))
    assert "No row was tested" in screen
    assert "noise (p" not in screen


def test_row_has_both_scores_with_intervals(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=100, count=50)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=100, count=57)})
    screen = words(diff(runs))
    assert "50.0 % 57.0 % +7.0" in screen
    assert "40.4–59.6 47.2–66.3" in screen  # Wilson intervals of 50 and of 57 in 100


def test_row_of_only_one_run_is_marked(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=50, count=30), BYOL_KNN: right(of=50, count=20)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=50, count=30)})
    assert "40.0 % – only in A" in words(diff(runs))


def test_failed_run_is_compared_by_its_parameters(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=50, count=30)}, parameters={"seed": 1})
    runs.died(B, parameters={"seed": 2})
    outcome = diff(runs)
    assert row(outcome, "seed") == ["seed", "1", "2"]
    assert "No rows to compare. B: no results" in outcome.output


def test_latest_and_previous_are_the_newest_complete_runs(runs: RunBuilder) -> None:
    runs.complete(A, {BYOL_LOGISTIC: right(of=50, count=30)})
    runs.complete(B, {BYOL_LOGISTIC: right(of=50, count=30)})
    runs.died("2026-03-03T10.00.00.000Z")
    heads = [line.split() for line in diff(runs, "previous", "latest").lines]
    assert ["A", A] in heads
    assert ["B", B] in heads


def test_diff_fits_a_hundred_columns(runs: RunBuilder) -> None:
    rng = np.random.default_rng(0)
    keys = [BYOL_LOGISTIC, ("untrained network", "logistic regression", "linear_adam")]
    runs.complete(A, {key: rng.random(200) < 0.5 for key in keys}, command="kedro run", parameters={"data": "y" * 90})
    runs.complete(B, {key: rng.random(200) < 0.6 for key in keys}, command="kedro run", images="others")
    assert max(map(len, diff(runs).lines)) <= 100
