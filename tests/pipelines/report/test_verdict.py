"""Conclusions of the report: they agree with the rows, also if BYOL is worse than its baselines."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from byol_kedro.evaluation.comparison import compare_all
from byol_kedro.pipelines.report.results import collect
from byol_kedro.pipelines.report.verdict import summary, verdict, without_labels
from tests.support import report_inputs as given


def compared(p):
    """Returns comparisons of BYOL with other features by logistic regression, with these unadjusted p-values."""
    names = ["features_a", "protocol_a", "features_b", "protocol_b", "p"]
    return pd.DataFrame([["BYOL", "logistic", other, "logistic", value] for other, value in p.items()], columns=names)


def say(*, byol=0.612, pixels=0.402, untrained=0.522, header=None, evaluated="photos", more=(), p=None, steps=11):
    rows = [
        given.row("logistic", "BYOL", byol),
        given.row("logistic", "pixels, PCA 256", pixels),
        given.row("logistic", "untrained network", untrained),
        *more,
    ]
    tables = {"probe_metrics": given.metrics(rows)}
    header = (header or given.encoder()).header
    return " ".join(summary(rows_of(header, tables, evaluated), compared(p or {}), steps))


def rows_of(header, tables, evaluated="photos"):
    return collect(header, given.manifest(), tables, evaluated, header["data_fingerprint"], evaluated)


ACCURACY = "BYOL reaches 61.2 % top-1 (95 % CI 59.9–62.5) with logistic regression."


def test_significant_differences_are_given_in_points():
    better = "significantly better than PCA 256 of the pixels (+21.0 points) and the untrained network (+9.0 points)."
    assert say() == f"{ACCURACY} It is {better}"


def test_significantly_worse_baselines_are_named():
    worse = "significantly worse than PCA 256 of the pixels (−10.0 points) and the untrained network (−22.0 points)."
    assert f"It is {worse}" in say(byol=0.302)


def test_references_and_supervised_training_are_compared():
    more = [
        given.row("logistic", "imagenet (resnet18.tv_in1k)", 0.712),
        given.row("logistic", "supervised, from scratch", 0.512),
    ]
    text = say(more=more)
    assert "and supervised training from scratch (+10.0 points)." in text
    assert "It is significantly worse than imagenet (resnet18.tv_in1k) (−10.0 points)." in text


def test_reference_whose_name_starts_with_byol_is_a_baseline():
    assert "BYOL2 (resnet18) (+51.2 points)" in say(more=[given.row("logistic", "BYOL2 (resnet18)", 0.1)])


def test_difference_that_is_not_significant():
    better, unclear = "PCA 256 of the pixels (+21.0 points)", "the untrained network (+9.2 points)"
    text = say(untrained=0.52, p={"untrained network": 0.2})
    assert (
        text == f"{ACCURACY} It is significantly better than {better}. It does not differ significantly from {unclear}."
    )


@pytest.mark.parametrize(("byol", "word"), [(0.61, "better"), (0.59, "worse")])
def test_significance_is_that_of_the_test_not_of_the_intervals(byol, word):
    text = say(byol=byol, untrained=0.60, p={"untrained network": 0.001})
    assert "not differ" not in text
    assert f"significantly {word} than" in text


def predicted(features, protocol, right):
    """Returns predictions of a classifier on 400 images, correct on those whose numbers are given."""
    named = np.isin(np.arange(400), right)
    facts = {"name": [f"test/{i:03}" for i in range(400)], "truth": 1, "guess": named.astype(int)}
    return pd.DataFrame(facts).assign(features=features, protocol=protocol)


def test_verdict_is_adjusted_over_its_own_comparisons_only():
    """41 images right with BYOL alone, 76 with the untrained network alone: p = 0.0017, above 0.05 among 91 pairs."""
    table = pd.concat(
        [
            predicted("BYOL", "logistic", range(141)),
            predicted("untrained network", "logistic", [*range(100), *range(200, 276)]),
            predicted("pixels, PCA 256", "logistic", range(20)),
            *(predicted("other", str(i), range(100 + i % 2)) for i in range(11)),
        ]
    )
    found = compare_all(table, 0)
    pair = found[(found["features_a"] == "BYOL") & (found["features_b"] == "untrained network")].iloc[0]
    assert (len(found), pair["only_a"], pair["only_b"]) == (91, 41, 76)
    assert pair["p"] == pytest.approx(0.0017, abs=5e-5)
    assert pair["p_holm"] > 0.05
    rows = [
        given.row("logistic", features, top1)
        for features, top1 in (("BYOL", 141 / 400), ("untrained network", 176 / 400), ("pixels, PCA 256", 20 / 400))
    ]
    results = rows_of(given.encoder().header, {"probe_metrics": given.metrics(rows)})
    assert verdict(results, found)[1:] == [
        "It is significantly better than PCA 256 of the pixels (+30.3 points).",
        "It is significantly worse than the untrained network (−8.8 points).",
    ]


@pytest.mark.parametrize(("p", "sure"), [(0.024, True), (0.026, False)])
def test_two_comparisons_are_adjusted_for_two(p, sure):
    text = say(untrained=0.6, p={"untrained network": p, "pixels, PCA 256": 0.9})
    assert ("significantly better than the untrained network" in text) == sure


@pytest.mark.parametrize(("p", "sure"), [(0.016, True), (0.018, False)])
def test_reference_is_one_more_comparison(p, sure):
    more = [given.row("logistic", "imagenet (resnet18.tv_in1k)", 0.6)]
    others = {"pixels, PCA 256": 0.9, "imagenet (resnet18.tv_in1k)": 0.9}
    text = say(untrained=0.6, more=more, p={"untrained network": p, **others})
    assert ("significantly better than the untrained network" in text) == sure


def test_deficit_that_is_not_significant():
    text = say(byol=0.45, untrained=0.60, pixels=0.1, p={"untrained network": 0.2})
    assert "It does not differ significantly from the untrained network (−15.0 points)." in text


@pytest.mark.parametrize("p", [0.2, 0.001], ids=["not significant", "significant"])
def test_too_few_steps_are_suggested_below_the_untrained_network(p):
    text = say(byol=0.59, untrained=0.60, p={"untrained network": p}, steps=1234)
    assert text.endswith(
        "too few training steps for a small data set; this run took 1,234 (docs/recipes.md, “Few images”)."
    )


def test_unknown_number_of_steps_is_left_out():
    assert say(byol=0.5, untrained=0.6, steps=None).endswith("small data set (docs/recipes.md, “Few images”).")


@pytest.mark.parametrize("byol", [0.522, 0.53])
def test_no_advice_at_or_above_the_untrained_network(byol):
    assert "steps" not in say(byol=byol)


def test_overlapping_intervals_without_common_images_are_not_significant():
    assert "It does not differ significantly from the untrained network (+1.2 points)." in say(untrained=0.60)


def test_separate_intervals_without_common_images_are_significant():
    assert "not differ" not in say()


def test_published_results_of_other_data_are_not_mentioned():
    assert "published" not in say()


def test_published_results_of_the_same_data_are_compared():
    text = say(header=given.encoder(data="stl10"), evaluated="stl10", more=[given.row("linear_adam", "BYOL", 0.68)])
    assert text.endswith("BYOL reaches 68.0 % after 40 epochs; the table reports 70.1 % after 40 and 75.2 % after 80.")


def test_one_epoch_is_singular():
    header = given.encoder(data="stl10", epochs="1")
    text = say(header=header, evaluated="stl10", more=[given.row("linear_adam", "BYOL", 0.68)])
    assert "BYOL reaches 68.0 % after 1 epoch; the" in text


@pytest.mark.parametrize("settings", [{"epochs": 5}, {"lr": 0.003}, None], ids=["epochs", "rate", "unknown"])
def test_published_classifier_with_other_settings_is_not_compared(settings):
    row = given.row("linear_adam", "BYOL", 0.68)
    changed = row | {"settings": row["settings"] | settings} if settings else row
    if settings is None:
        del changed["settings"]
    assert "published" not in say(header=given.encoder(data="stl10"), evaluated="stl10", more=[changed])


def test_conclusions_without_labels():
    quality = given.quality_metrics()["rows"]
    assert " ".join(without_labels(1240, 12, quality, "no test image has a label")) == (
        "The data set has 1,240 images. No classifier was evaluated: no test image has a label. The embeddings of "
        "the pair model form 12 clusters. The effective rank of the features is 211.4 for BYOL and 13.2 for the "
        "untrained network; a higher rank does not imply better features."
    )


def test_no_other_protocol_replaces_the_fixed_one():
    tables = {"probe_metrics": given.metrics([given.row("mlp", "BYOL", 0.9)])}
    results = rows_of(given.encoder().header, tables)
    assert summary(results, compared({}), 11) == ["BYOL features were not evaluated with logistic regression."]


@settings(max_examples=settings.default.max_examples // 4)
@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_sign_of_a_difference_that_is_not_significant(byol, untrained):
    sign = "" if byol == untrained else "+" if byol > untrained else "−"
    text = say(byol=byol / 1000, untrained=untrained / 1000, p={"pixels, PCA 256": 0.2, "untrained network": 0.2})
    assert f"the untrained network ({sign}{abs(byol - untrained) / 10:.1f} points)" in text


@settings(max_examples=settings.default.max_examples // 4)
@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_direction_of_a_significant_difference(byol, untrained):
    assume(byol != untrained)
    text = say(byol=byol / 1000, untrained=untrained / 1000, p={"pixels, PCA 256": 0.2, "untrained network": 0.001})
    assert f"It is significantly {'better' if byol > untrained else 'worse'} than the untrained network" in text
