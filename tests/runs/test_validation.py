"""What could break: a parameter that was typed and does nothing, without a word."""

import logging

import pytest

from byol_kedro.runs.validation import warn_of_what_has_no_effect


def warned(caplog: pytest.LogCaptureFixture, typed: dict[str, object], *inputs: str) -> list[str]:
    """The warnings about what was typed for a run that reads `inputs`."""
    with caplog.at_level(logging.INFO):
        warn_of_what_has_no_effect(typed, {f"params:{name}" for name in inputs})
    return caplog.messages


def test_a_block_that_no_node_reads_is_warned_of_by_the_names_that_were_typed(caplog) -> None:
    typed = {"ingest": {"image_size": 96, "test_fraction": 0.1}, "pretrain": {"epochs": 3}}
    line = "ingest.image_size, ingest.test_fraction: without effect: nothing in this run reads that"
    assert warned(caplog, typed, "pretrain", "seed") == [line]


def test_names_that_are_no_blocks_are_not(caplog) -> None:
    assert warned(caplog, {"data_root": "x", "seed": 3, "raw_root": "y"}, "pretrain") == []


def test_a_single_parameter_that_a_node_reads_is_not_but_its_neighbors_are(caplog) -> None:
    typed = {"pair_model": {"unlabeled": True, "epochs": 3}}
    line = "pair_model.epochs: without effect: nothing in this run reads that"
    assert warned(caplog, typed, "pair_model.unlabeled") == [line]
