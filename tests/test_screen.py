"""What could break: a last screen that keeps quiet about features that are worse than none."""

import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from byol_kedro.pipelines.report.words import behind
from byol_kedro.screen import FEW
from tests.conftest import Chain, Outcome, type_kedro_run


def results(**top1: float) -> pd.DataFrame:
    """Rows `features_protocol`: top-1, all of them measured."""
    rows = [(*name.split("_"), value, "measured") for name, value in top1.items()]
    table = pd.DataFrame(rows, columns=["features", "protocol", "top1", "source"])
    return table.replace({"features": {"untrained": "untrained network"}})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (results(BYOL_logistic=0.3, untrained_logistic=0.4), True),
        (results(BYOL_logistic=0.4, untrained_logistic=0.3), False),
        (results(BYOL_logistic=0.4, untrained_logistic=0.4), False),
        (results(BYOL_logistic=0.4, BYOL_knn=0.1, untrained_logistic=0.3, untrained_knn=0.2), False),
        (results(BYOL_logistic=0.3), False),
        (results(untrained_logistic=0.3), False),
    ],
)
def test_byol_is_behind_where_the_untrained_network_names_more_by_logistic_regression(
    table: pd.DataFrame, expected: bool
) -> None:
    assert behind(table) is expected


@pytest.mark.parametrize("answer", [True, False])
def test_the_last_screen_gives_the_reports_verdict_and_advice_in_one_line(
    chain_copy: Path, monkeypatch: pytest.MonkeyPatch, *, answer: bool
) -> None:
    monkeypatch.setattr("byol_kedro.screen.behind", lambda _: answer)
    lines = type_kedro_run(chain_copy, "--pipelines=report").lines
    page = Chain(chain_copy, Outcome(0, "")).versions("report")[-1].read_text("utf-8")
    (lead,) = re.findall('<p class="lead">(.*?)</p>', page)
    (line,) = (line for line in lines if line.startswith("BYOL "))
    assert unescape(lead).startswith(line.removesuffix(f" {FEW}"))
    assert line.endswith(FEW) is answer


def test_a_deficit_that_may_be_luck_is_not_called_being_behind(
    chain_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("byol_kedro.pipelines.report.words.LEVEL", 0.0)
    output = type_kedro_run(chain_copy, "--pipelines=report").output
    assert "too little to rule out luck" in output
    assert "is behind" not in output


def test_the_last_screen_says_how_to_ask_about_a_folder(chain: Chain) -> None:
    assert chain.outcome.lines[-1] == (
        "Features and more of each file of a folder: kedro run --pipelines=predict --env=test "
        f"--params=data_root={chain.data_root},predict_root=FOLDER"
    )
