"""The sentence above the report: it says what the rows say, also when that is bad news."""

from hypothesis import given as drawn
from hypothesis import strategies as st

from byol_kedro.pipelines.report.results import collect
from byol_kedro.pipelines.report.words import summary

from . import report_inputs as given


def say(*, byol=0.612, pixels=0.402, untrained=0.522, chance=0.06, header=None, evaluated="photos", more=()):
    rows = [
        given.row("logistic", "BYOL", byol),
        given.row("logistic", "pixels, PCA 256", pixels),
        given.row("logistic", "untrained network", untrained),
        *more,
    ]
    tables = {"probe_metrics": given.metrics(rows)}
    header = (header or given.encoder()).header
    return " ".join(summary(collect(header, given.manifest(), tables, evaluated), chance))


def test_top1_stands_with_its_interval():
    assert say().startswith(
        "BYOL + logistic regression names 61.2 % of the test pictures right (95 % interval 59.9–62.5)"
    )


def test_what_is_better_is_over():
    assert "21.0 points over PCA 256 of the pixels, 9.0 points over the untrained network." in say()


def test_what_is_worse_is_below():
    assert "10.0 points below PCA 256 of the pixels" in say(byol=0.302)


def test_what_is_certainly_worse_is_said_again_in_plain_words():
    assert "BYOL is worse than PCA 256 of the pixels and the untrained network here." in say(byol=0.302)


def test_a_difference_within_the_intervals_is_not_claimed():
    text = say(untrained=0.60)
    assert "The intervals of BYOL and the untrained network overlap: a difference is not shown." in text


def test_a_clear_difference_is_not_doubted():
    assert "overlap" not in say()


def test_chance_is_named():
    assert "is 6 %." in say()


def test_other_pictures_are_not_compared_with_published_rows():
    assert say().endswith("Published rows are of stl10 and say nothing about these pictures.")


def test_on_the_same_pictures_the_published_classifier_stands_beside_the_published_rows():
    text = say(header=given.encoder(data="stl10"), evaluated="stl10", more=[given.row("published", "BYOL", 0.68)])
    assert text.endswith("it is 68.0 % after 40 epochs; that table says 70.1 % after 40 and 75.2 % after 80.")


def test_without_rows_it_says_that_nothing_was_measured():
    results = collect(given.encoder().header, given.manifest(), {}, "photos")
    assert summary(results, None)[0].startswith("Nothing was measured")


def test_without_the_fixed_classifier_no_other_takes_its_place():
    tables = {"probe_metrics": given.metrics([given.row("mlp", "BYOL", 0.9)])}
    results = collect(given.encoder().header, given.manifest(), tables, "photos")
    assert summary(results, 0.1) == [
        "BYOL features were not measured with logistic regression, so nothing can be said of them."
    ]


@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_the_direction_of_a_difference_is_always_right(byol, untrained):
    word = "level with" if byol == untrained else "over" if byol > untrained else "below"
    assert f"{word} the untrained network" in say(byol=byol / 1000, untrained=untrained / 1000)
